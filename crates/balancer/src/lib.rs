//! repono-balancer
