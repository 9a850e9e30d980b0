//! Changes to the metadata of a container or an account: what is sent is merged
//! into what is there.

use repono_core::refusal::Refusal;
use repono_core::request::RequestHead;

use crate::metadata::{Owner, Size, stored_name, strip_prefix, user_value};
use crate::refusals::INVALID_HEADER;

/// The changes that one request makes.
///
/// *Shape*: for each stored name either its new value or `None`: an empty value
/// and `X-Remove-…-Meta-…` both remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    owner: Owner,
    items: Vec<(String, Option<String>)>,
}

impl Changes {
    /// Reads the changes for one owner.
    ///
    /// *Errors*: as [`crate::metadata::object`].
    pub fn from_head(head: &RequestHead, owner: Owner) -> Result<Self, Refusal> {
        let mut changes = Self { owner, items: Vec::new() };
        let mut size = Size::default();
        for (name, value) in head.fields() {
            if let Some(short) = strip_prefix(name, owner.prefix()) {
                let value = user_value(value)?;
                size.add(short.len(), value.len())?;
                changes.push(stored_name(owner, short)?, Some(value).filter(|v| !v.is_empty()))?;
            } else if let Some(short) = strip_prefix(name, owner.remove_prefix()) {
                size.add(short.len(), 0)?;
                changes.push(stored_name(owner, short)?, None)?;
            }
        }
        Ok(changes)
    }

    /// Whether the request leaves the metadata as it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Each stored name with its new value, or `None` where it is removed.
    #[must_use]
    pub fn items(&self) -> &[(String, Option<String>)] {
        &self.items
    }

    /// The metadata after the changes: what was there keeps its place, what is new
    /// comes last.
    ///
    /// *Errors*: 400 when the result is beyond the limits.
    pub fn apply(&self, stored: &[(String, String)]) -> Result<Vec<(String, String)>, Refusal> {
        let kept = stored.iter().filter(|(name, _)| !self.names(name)).cloned();
        let set = self.items.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
        let merged: Vec<_> = kept.chain(set).collect();
        let mut size = Size::default();
        for (name, value) in &merged {
            // What else is kept, such as an access list, has limits of its own.
            if let Some(short) = name.strip_prefix(self.owner.prefix()) {
                size.add(short.len(), value.len())?;
            }
        }
        Ok(merged)
    }

    fn names(&self, name: &str) -> bool {
        self.items.iter().any(|(changed, _)| changed == name)
    }

    fn push(&mut self, name: String, value: Option<String>) -> Result<(), Refusal> {
        if self.names(&name) {
            return Err(INVALID_HEADER);
        }
        self.items.push((name, value));
        Ok(())
    }
}
