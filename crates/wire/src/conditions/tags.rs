//! Lists of entity tags, as `If-Match` and `If-None-Match` carry them.

use repono_core::etag::ETag;

/// The tags of one header, over all its lines. Tags that are no MD5 are left out:
/// they can match nothing here, and the set is still there to fail against.
///
/// *Shape*: at most one tag for 32 bytes of the request head.
#[derive(Clone, Debug, Default)]
pub(super) struct TagSet {
    any: bool,
    strong: Vec<ETag>,
    weak: Vec<ETag>,
}

impl TagSet {
    /// Adds the tags of one header line: quoted or bare, strong or weak, or `*`.
    pub(super) fn add(&mut self, value: &[u8]) {
        let mut rest = value;
        while let Some((item, tail)) = next_item(rest) {
            rest = tail;
            match item {
                b"*" => self.any = true,
                [b'W' | b'w', b'/', weak @ ..] => self.weak.extend(ETag::parse(weak)),
                strong => self.strong.extend(ETag::parse(strong)),
            }
        }
    }

    /// Whether the header was `*`.
    pub(super) fn is_any(&self) -> bool {
        self.any
    }

    /// RFC 9110 section 8.8.3.2, strong comparison: weak tags never match.
    pub(super) fn matches_strongly(&self, tag: &ETag) -> bool {
        self.any || self.strong.contains(tag)
    }

    /// Weak comparison: the strength does not count.
    pub(super) fn matches_weakly(&self, tag: &ETag) -> bool {
        self.matches_strongly(tag) || self.weak.contains(tag)
    }
}

/// The next item of a list and what follows it. Commas within quotes belong to
/// the tag.
fn next_item(list: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = list.iter().position(|b| !matches!(b, b' ' | b'\t' | b','))?;
    let list = list.get(start..)?;
    let mut quoted = false;
    let end = list.iter().position(|b| {
        quoted ^= *b == b'"';
        *b == b',' && !quoted
    });
    let (item, rest) = list.split_at(end.unwrap_or(list.len()));
    Some((item.trim_ascii_end(), rest))
}

#[cfg(test)]
mod tests {
    use super::next_item;

    #[test]
    fn splits_outside_of_quotes_only() {
        let mut rest: &[u8] = b" , \"a,b\" ,W/\"c\",, d\t,*";
        let mut items = Vec::new();
        while let Some((item, tail)) = next_item(rest) {
            items.push(item);
            rest = tail;
        }
        assert_eq!(items, [&b"\"a,b\""[..], b"W/\"c\"", b"d", b"*"]);
    }
}
