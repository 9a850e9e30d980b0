//! The `Range` header: what is resolved lies within the object.
//!
//! The first eight bytes are the size of the object.

#![no_main]

use libfuzzer_sys::fuzz_target;
use repono_core::range::{RangeSet, Resolved};

fuzz_target!(|input: &[u8]| {
    let Some((size, value)) = input.split_first_chunk::<8>() else { return };
    let size = u64::from_le_bytes(*size);
    let Some(set) = RangeSet::parse(value) else { return };
    assert!(!set.specs().is_empty());
    match set.resolve(size) {
        Resolved::Whole => assert_eq!(size, 0),
        Resolved::Unsatisfiable => {}
        Resolved::Parts(parts) => {
            assert!(!parts.is_empty() && parts.len() <= RangeSet::RANGES_MAX);
            assert!(parts.iter().all(|part| part.start < part.end && part.end <= size));
        }
    }
});
