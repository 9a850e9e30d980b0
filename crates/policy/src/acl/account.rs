//! `X-Account-Access-Control`.

use std::collections::BTreeMap;

use super::{AclError, allow, document, principals};

/// What each level may do.
const LEVELS: [(&str, &[&str]); 3] = [
    ("admin", &["s3:*"]),
    (
        "read-write",
        &[
            "s3:GetObject",
            "s3:PutObject",
            "s3:DeleteObject",
            "s3:ListBucket",
            "s3:CreateBucket",
            "s3:DeleteBucket",
            "s3:PutBucketMetadata",
            "s3:ListAllMyBuckets",
        ],
    ),
    ("read-only", &["s3:GetObject", "s3:ListBucket", "s3:ListAllMyBuckets"]),
];

/// The list of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountAcl(BTreeMap<String, Vec<String>>);

impl AccountAcl {
    /// Reads the value of the header.
    ///
    /// *Shape*: `{"admin":[…],"read-write":[…],"read-only":[…]}`, each key optional,
    /// elements `account` or `account:user`.
    ///
    /// *Errors*: `Form`.
    pub fn parse(value: &str) -> Result<Self, AclError> {
        let lists: BTreeMap<String, Vec<String>> = serde_json::from_str(value).map_err(|_| AclError::Form)?;
        let known = |key: &String| LEVELS.iter().any(|(level, _)| level == key);
        let plain = |name: &String| !name.chars().any(char::is_control);
        if lists.keys().all(known) && lists.values().flatten().all(plain) {
            Ok(Self(lists))
        } else {
            Err(AclError::Form)
        }
    }

    /// The list as compact JSON with sorted keys, as Swift keeps it; empty for a
    /// list without elements.
    #[must_use]
    pub fn text(&self) -> String {
        let lists =
            self.0.iter().map(|(level, names)| (level.clone(), serde_json::Value::from(names.clone())));
        let members: serde_json::Map<_, _> = lists.collect();
        if members.is_empty() { String::new() } else { serde_json::Value::Object(members).to_string() }
    }

    /// The resource policy that the list means; `None` when it grants nothing.
    ///
    /// *Errors*: `TooLong`.
    pub fn policy(&self) -> Result<Option<String>, AclError> {
        let statements: Vec<_> = LEVELS
            .iter()
            .filter_map(|(level, actions)| {
                let names = self.0.get(*level)?.iter().map(String::as_str);
                allow(principals(names), actions)
            })
            .collect();
        document("X-Account-Access-Control", &statements)
    }
}
