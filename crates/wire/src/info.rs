//! `/info`: the limits of this interface, in Swift's form. It announces only what
//! is there: clients switch features on by what they find here.

use serde_json::json;

use crate::{bulk, large, listing, metadata, put};
use repono_core::name::{AccountName, ContainerName, ObjectKey};

/// The media type of the document.
pub const CONTENT_TYPE: &str = "application/json; charset=utf-8";

/// The document. It never changes while a head runs: build it once.
#[must_use]
pub fn document() -> Vec<u8> {
    json!({
        "account_quotas": {},
        "bulk_delete": {
            "max_deletes_per_request": bulk::DELETES_MAX,
            "max_failed_deletes": bulk::FAILURES_MAX,
        },
        "container_quotas": {},
        "dlo": { "max_segments": large::DYNAMIC_SEGMENTS_MAX },
        "repono": { "version": env!("CARGO_PKG_VERSION") },
        "slo": {
            "allow_async_delete": false,
            "max_manifest_segments": large::SEGMENTS_MAX,
            "max_manifest_size": large::MANIFEST_BYTES_MAX,
            "min_segment_size": large::SEGMENT_BYTES_MIN,
        },
        "swift": {
            "account_listing_limit": listing::ENTRIES_MAX,
            "allow_account_management": false,
            "container_listing_limit": listing::ENTRIES_MAX,
            "max_account_name_length": AccountName::BYTES_MAX,
            "max_container_name_length": ContainerName::BYTES_MAX,
            "max_file_size": put::BYTES_MAX,
            "max_header_size": metadata::HEADER_BYTES_MAX,
            "max_meta_count": metadata::ITEMS_MAX,
            "max_meta_name_length": metadata::NAME_BYTES_MAX,
            "max_meta_overall_size": metadata::TOTAL_BYTES_MAX,
            "max_meta_value_length": metadata::VALUE_BYTES_MAX,
            "max_object_name_length": ObjectKey::BYTES_MAX,
            "valid_api_versions": ["v1", "v1.0"],
        },
    })
    .to_string()
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::document;

    #[test]
    fn announces_the_limits_and_what_is_served() {
        let info: serde_json::Value = serde_json::from_slice(&document()).expect("JSON");
        assert_eq!(info["swift"]["max_file_size"], 5_368_709_120_u64);
        assert_eq!(info["swift"]["max_object_name_length"], 1024);
        assert_eq!(info["swift"]["max_meta_overall_size"], 4096);
        let sections: Vec<_> = info.as_object().expect("object").keys().collect();
        assert_eq!(
            sections,
            ["account_quotas", "bulk_delete", "container_quotas", "dlo", "repono", "slo", "swift"]
        );
    }
}
