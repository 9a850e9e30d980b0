//! `account/container/key`, and how it stands in a request target.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use repono_core::name::{AccountName, ContainerName, NameError, ObjectKey};

/// What a path segment carries as it is: the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same, and the slashes of a key.
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// The name of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectAddress {
    /// The tenant.
    pub account: AccountName,
    /// The container within it.
    pub container: ContainerName,
    /// The name within the container.
    pub key: ObjectKey,
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Fewer than three parts.
    #[error("an object is named account/container/key")]
    Parts,
    /// The account.
    #[error("the account's name is not valid")]
    Account(#[source] NameError),
    /// The container.
    #[error("the container's name is not valid")]
    Container(#[source] NameError),
    /// The key.
    #[error("the object's key is not valid")]
    Key(#[source] NameError),
}

impl ObjectAddress {
    /// The same container, another key.
    #[must_use]
    pub fn with_key(&self, key: ObjectKey) -> Self {
        Self { account: self.account.clone(), container: self.container.clone(), key }
    }

    /// The request target in the native interface.
    pub(crate) fn target(&self) -> String {
        format!("{}/{}", container_target(&self.account, &self.container), path(self.key.as_str()))
    }
}

impl FromStr for ObjectAddress {
    type Err = AddressError;

    /// Everything after the second slash is the key, slashes included.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut parts = text.splitn(3, '/');
        let (Some(account), Some(container), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(AddressError::Parts);
        };
        Ok(Self {
            account: account.parse().map_err(AddressError::Account)?,
            container: container.parse().map_err(AddressError::Container)?,
            key: key.parse().map_err(AddressError::Key)?,
        })
    }
}

impl fmt::Display for ObjectAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.account, self.container, self.key)
    }
}

/// The request target of a container.
pub(crate) fn container_target(account: &AccountName, container: &ContainerName) -> String {
    format!("/v1/{}/{}", segment(account.as_str()), segment(container.as_str()))
}

/// The request target of an account.
pub(crate) fn account_target(account: &AccountName) -> String {
    format!("/v1/{}", segment(account.as_str()))
}

/// One value of a query.
pub(crate) fn query_value(text: &str) -> impl fmt::Display {
    utf8_percent_encode(text, SEGMENT)
}

fn segment(text: &str) -> impl fmt::Display {
    utf8_percent_encode(text, SEGMENT)
}

fn path(text: &str) -> impl fmt::Display {
    utf8_percent_encode(text, PATH)
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::{ProptestConfig, proptest};

    use super::{AddressError, ObjectAddress};

    #[test]
    fn an_address_is_three_parts_and_the_key_keeps_its_slashes() {
        let address: ObjectAddress = "demo/files/a/b//c d".parse().unwrap();
        assert_eq!(address.target(), "/v1/demo/files/a/b//c%20d");
        assert_eq!(address.to_string(), "demo/files/a/b//c d");
        assert_eq!("demo/files".parse::<ObjectAddress>(), Err(AddressError::Parts));
        assert!(matches!("-/files/k".parse::<ObjectAddress>(), Err(AddressError::Account(_))));
        assert!(matches!("demo/../k".parse::<ObjectAddress>(), Err(AddressError::Container(_))));
        assert!(matches!("demo/files/a/../k".parse::<ObjectAddress>(), Err(AddressError::Key(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn every_key_survives_its_target(key in "\\PC{1,60}", container in "[^/\\pC]{1,20}") {
            let Ok(address) = format!("demo/{container}/{key}").parse::<ObjectAddress>() else { return Ok(()) };
            let target = address.target();
            assert!(target.bytes().all(|b| b.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&b)), "{target}");
            let mut segments = target.splitn(5, '/').skip(3);
            let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
            assert_eq!(decoded(segments.next().unwrap()), container);
            assert_eq!(decoded(segments.next().unwrap()), key);
        }
    }
}
