//! Swift's access lists, and the policies that they mean.
//!
//! A list is kept as its owner wrote it and translated into a resource policy, so
//! that one piece of code decides every request: the default refuses, and a `Deny`
//! of another policy outweighs whatever a list grants.
//!
//! *Source*: `swift/common/middleware/acl.py`; `swift/common/middleware/tempauth.py`,
//! `authorize` and `extract_acl_and_report_errors`.

mod account;
mod container;
#[cfg(test)]
mod tests;

use repono_core::name::{AccountName, UserName};
use serde_json::{Value, json};

pub use self::account::AccountAcl;
pub use self::container::{ContainerAcl, Right};
use crate::document::{Document, DocumentKind};

/// Why an access list was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AclError {
    /// A referrer without a host, or `.r` in a list of writers.
    #[error("a referrer needs a host, and cannot be given the right to write")]
    Referrer,
    /// `.name:` that is none of Swift's designators.
    #[error("an element has an unknown designator")]
    Designator,
    /// The list of an account is not JSON of the documented form.
    #[error("the list must be a JSON object of admin, read-write and read-only, each a list of texts")]
    Form,
    /// The policy would be larger than a policy may be.
    #[error("the list is too long")]
    TooLong,
}

/// The principals that elements such as `account` and `account:user` name. Other
/// elements name nobody.
fn principals<'a>(elements: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    elements.into_iter().filter_map(principal).collect()
}

fn principal(element: &str) -> Option<String> {
    let (account, user) = match element.split_once(':') {
        Some((account, user)) => (account, Some(UserName::new(user.as_bytes()).ok()?)),
        None => (element, None),
    };
    let account = AccountName::new(account.as_bytes()).ok()?;
    Some(match user {
        Some(user) => format!("arn:aws:iam::{account}:user/{user}"),
        None => format!("arn:aws:iam::{account}:root"),
    })
}

/// An `Allow` for these principals; `None` without any.
fn allow(principals: Vec<String>, actions: &[&str]) -> Option<Value> {
    (!principals.is_empty()).then(
        || json!({"Effect": "Allow", "Principal": {"AWS": principals}, "Action": actions, "Resource": "*"}),
    )
}

/// The document of these statements; `None` without any.
fn document(id: &str, statements: &[Value]) -> Result<Option<String>, AclError> {
    if statements.is_empty() {
        return Ok(None);
    }
    let text = json!({"Version": "2012-10-17", "Id": id, "Statement": statements}).to_string();
    // What is written here is well formed, so that only its size can be at fault.
    Document::parse(&text, DocumentKind::Resource).map_err(|_| AclError::TooLong)?;
    Ok(Some(text))
}
