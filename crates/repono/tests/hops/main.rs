//! Whether `repono diagnose` names the right hop: faults are made on each, and all
//! journals are read afterwards.
//!
//! `cargo xtask hops` prints the table of `docs/diagnose.md`.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

mod fault;
mod matrix;
mod stage;

use fault::Fault;
use matrix::Matrix;

/// The hop of every fault that can be told is told, and where none can, none is.
#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_found_at_its_hop() {
    let mut matrix = Matrix::default();
    for fault in Fault::ALL {
        matrix.take(fault, fault.play().await);
    }
    println!("{matrix}");
    assert_eq!(matrix.wrong(), [""; 0], "{matrix}");
}
