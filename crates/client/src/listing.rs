//! What is in a container, page by page.

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method};
use repono_core::name::{AccountName, ContainerName};
use serde::Deserialize;

use crate::address::{account_target, container_target, query_value};
use crate::client::Client;
use crate::error::ClientError;

/// Entries of one page: a page is held in memory.
const PAGE_ENTRIES: usize = 1000;

/// A page of the longest names, escaped.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Entry {
    /// Everything behind one delimiter.
    Prefix {
        /// The common prefix, with the delimiter.
        subdir: String,
    },
    /// An object.
    Object {
        /// Its key.
        name: String,
        /// Its size.
        bytes: u64,
        /// The MD5 of its bytes, as 32 hex digits.
        hash: String,
        /// Its media type.
        content_type: String,
        /// When it was written, as `2014-10-20T23:55:43.990910`, UTC.
        last_modified: String,
    },
    /// A container of an account.
    Container {
        /// Its name.
        name: String,
        /// Objects in it.
        count: u64,
        /// The sum of their sizes.
        bytes: u64,
    },
}

impl Entry {
    /// The name that the next page begins after.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Prefix { subdir } => subdir,
            Self::Object { name, .. } | Self::Container { name, .. } => name,
        }
    }
}

/// A listing under way.
pub struct Listing<'a> {
    client: &'a Client,
    target: String,
    /// Where the next page begins; `None` after the last.
    marker: Option<String>,
    filter: String,
}

impl Client {
    /// The objects of a container whose keys begin with `prefix`, in the order of
    /// their bytes; with a delimiter, keys beyond it are rolled up.
    #[must_use]
    pub fn list(
        &self,
        account: &AccountName,
        container: &ContainerName,
        prefix: &str,
        delimiter: Option<char>,
    ) -> Listing<'_> {
        let mut filter = String::new();
        if !prefix.is_empty() {
            filter.push_str(&format!("&prefix={}", query_value(prefix)));
        }
        if let Some(delimiter) = delimiter {
            filter.push_str(&format!("&delimiter={}", query_value(delimiter.encode_utf8(&mut [0; 4]))));
        }
        Listing {
            client: self,
            target: container_target(account, container),
            marker: Some(String::new()),
            filter,
        }
    }

    /// The containers of an account.
    #[must_use]
    pub fn list_containers(&self, account: &AccountName) -> Listing<'_> {
        let target = account_target(account);
        Listing { client: self, target, marker: Some(String::new()), filter: String::new() }
    }
}

impl Listing<'_> {
    /// The next page; empty at the end.
    ///
    /// *Errors*: [`ClientError`]; a page that begins before the last one ended is
    /// [`ClientError::Protocol`], so that a listing always ends.
    pub async fn page(&mut self) -> Result<Vec<Entry>, ClientError> {
        let Some(marker) = self.marker.take() else { return Ok(Vec::new()) };
        let mut target = format!("{}?format=json&limit={PAGE_ENTRIES}{}", self.target, self.filter);
        if !marker.is_empty() {
            target.push_str(&format!("&marker={}", query_value(&marker)));
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut reply = self.client.ask(Method::GET, &target, &headers).await?;
        let body = reply.whole(PAGE_BYTES_MAX).await?;
        let page = read(&body)?;
        if let Some(last) = page.last() {
            if last.name() <= marker.as_str() {
                return Err(ClientError::Protocol("a listing that does not advance"));
            }
            self.marker = Some(last.name().to_owned());
        }
        Ok(page)
    }
}

/// An empty container answers 204 without a body.
fn read(body: &[u8]) -> Result<Vec<Entry>, ClientError> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_slice(body).map_err(|_| ClientError::Protocol("a listing that cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::{Entry, read};

    #[test]
    fn each_kind_of_entry_is_told_apart() {
        let page = read(
            br#"[{"subdir":"a/"},
                {"name":"b","hash":"900150983cd24fb0d6963f7d28e17f72","bytes":3,"content_type":"text/plain",
                 "last_modified":"2014-10-20T23:55:43.990910"},
                {"name":"files","count":2,"bytes":9,"last_modified":"2014-10-20T23:55:43.990910"}]"#,
        )
        .unwrap();
        assert!(matches!(&page[0], Entry::Prefix { subdir } if subdir == "a/"));
        assert!(matches!(&page[1], Entry::Object { name, bytes: 3, .. } if name == "b"));
        assert!(matches!(&page[2], Entry::Container { name, count: 2, .. } if name == "files"));
        assert_eq!(read(b"").unwrap(), []);
        assert!(read(b"{}").is_err());
    }
}
