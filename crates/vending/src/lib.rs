//! repono-vending
