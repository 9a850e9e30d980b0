//! `X-Object-Manifest`: the segments are whatever a listing gives.

use repono_core::name::ContainerName;

use crate::percent;

/// Where the segments of a dynamic large object are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectManifest {
    /// Their container, in the account of the manifest.
    pub container: ContainerName,
    /// What their names begin with.
    pub prefix: String,
}

impl ObjectManifest {
    /// The name under which the header is kept, in lower case.
    pub const NAME: &'static str = "x-object-manifest";

    /// Reads a value: `container/prefix`, percent-encoded.
    ///
    /// *Errors*: `None` for any other form.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (container, prefix) = value.split_once('/')?;
        if prefix.is_empty() || prefix.starts_with('/') || value.contains(['?', '&']) {
            return None;
        }
        let container = percent::decode(container.as_bytes()).ok()?;
        let prefix = percent::decode(prefix.as_bytes()).ok()?;
        Some(Self {
            container: ContainerName::new(&container).ok()?,
            prefix: String::from_utf8(prefix.into_owned()).ok().filter(|prefix| !prefix.contains('\0'))?,
        })
    }

    /// The one that stands in the metadata of an object, always as the first item.
    #[must_use]
    pub fn of(metadata: &[(String, String)]) -> Option<Self> {
        let (name, value) = metadata.first()?;
        if name == Self::NAME { Self::parse(value) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::ObjectManifest;

    #[test]
    fn container_and_prefix_or_nothing() {
        let found = ObjectManifest::parse("b%C3%BCcher/a%2Fb/").expect("good");
        assert_eq!((found.container.as_str(), found.prefix.as_str()), ("bücher", "a/b/"));
        for bad in ["", "c", "c/", "/p", "c//p", "c/p?x", "c/p&x", "c/%", "c/%00", "../p", "c/%ff", "%2F/p"] {
            assert_eq!(ObjectManifest::parse(bad), None, "{bad}");
        }
    }
}
