//! Static large objects: an object whose bytes are a manifest, and which stands
//! for the bytes of the objects that its manifest names.

use repono_core::etag::ETag;

use super::Metadata;

/// What an object stands for whose bytes are a manifest.
///
/// *Shape*: kept as the first item of the object's metadata, under a name that no
/// request can set, with the value `{size} {etag}`. Being the first, it costs a
/// read of any other object one comparison; a change of metadata keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LargeObject {
    /// Bytes of all segments together.
    pub size: u64,
    /// MD5 of the tags of the segments.
    pub etag: ETag,
}

impl LargeObject {
    /// The name of the item.
    pub const NAME: &'static str = "x-static-large-object";

    /// The item that says so.
    #[must_use]
    pub fn item(&self) -> (String, String) {
        (Self::NAME.to_owned(), format!("{} {}", self.size, self.etag))
    }

    /// What metadata say, if they are those of a manifest, and the items that
    /// belong to the user.
    #[must_use]
    pub fn split(metadata: &[(String, String)]) -> Option<(Self, &[(String, String)])> {
        let ((name, value), rest) = metadata.split_first()?;
        if name != Self::NAME {
            return None;
        }
        let (size, etag) = value.split_once(' ')?;
        Some((Self { size: size.parse().ok()?, etag: ETag::parse(etag.as_bytes())? }, rest))
    }

    /// New metadata for an object, which stays a manifest if it was one.
    #[must_use]
    pub fn kept(old: &[(String, String)], mut new: Metadata) -> Metadata {
        new.retain(|(name, _)| name != Self::NAME);
        if let Some((large, _)) = Self::split(old) {
            new.insert(0, large.item());
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use repono_core::etag::ETag;

    use super::LargeObject;

    fn item(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn is_the_first_item_and_nothing_else() {
        let large = LargeObject { size: 12, etag: ETag::from_md5([7; 16]) };
        let metadata = [large.item(), item("x-object-meta-a", "1")];
        let (found, rest) = LargeObject::split(&metadata).unwrap();
        assert_eq!((found, rest.len()), (large, 1));
        let behind = [item("x-object-meta-a", "1"), large.item()];
        assert_eq!(LargeObject::split(&behind), None);
        for value in ["", "12", "x 07070707070707070707070707070707", "12 07"] {
            assert_eq!(LargeObject::split(&[item(LargeObject::NAME, value)]), None, "{value}");
        }
    }

    #[test]
    fn new_metadata_neither_end_nor_forge_it() {
        let large = LargeObject { size: 12, etag: ETag::from_md5([7; 16]) };
        let forged = LargeObject { size: 99, ..large };
        let kept = LargeObject::kept(&[large.item()], vec![item("a", "1"), forged.item()]);
        assert_eq!(kept, [large.item(), item("a", "1")]);
        assert_eq!(LargeObject::kept(&[], vec![forged.item()]), []);
    }
}
