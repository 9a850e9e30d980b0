//! Text of bounded length, held in line so that a record needs no heap.

use std::fmt;

/// At most `N` bytes of text, kept in line; what is longer is cut.
///
/// *Shape*: `N` below 256. Bytes are kept as they came; those that are not UTF-8
/// are replaced when the text is read, and control characters are escaped when it
/// is written, so a caller need not clean what a stranger sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Text<N> {
    /// No text.
    pub const EMPTY: Self = Self { bytes: [0; N], len: 0 };

    /// The first `N` bytes of `text`, cut between characters where it is UTF-8.
    #[must_use]
    pub fn new(text: impl AsRef<[u8]>) -> Self {
        const { assert!(N < 256, "the length is kept in one byte") };
        let text = text.as_ref();
        let mut kept = Self::EMPTY;
        let cut = cut_at(text, N);
        if let (Some(to), Some(from)) = (kept.bytes.get_mut(..cut), text.get(..cut)) {
            to.copy_from_slice(from);
        }
        kept.len = u8::try_from(cut).unwrap_or_default();
        kept
    }

    /// Appends as much of `text` as fits, for names made of parts such as
    /// `account:user`.
    #[must_use]
    pub fn and(mut self, text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        let start = usize::from(self.len);
        let cut = cut_at(text, N.saturating_sub(start));
        for (to, from) in self.bytes.iter_mut().skip(start).zip(text.iter().take(cut)) {
            *to = *from;
        }
        self.len = u8::try_from(start.saturating_add(cut)).unwrap_or(self.len);
        self
    }

    /// The bytes kept.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self.as_bytes()), f)
    }
}

/// Where to cut `text` so that at most `max` bytes remain and no UTF-8 sequence
/// is split. A sequence has at most 3 continuation bytes, so no more are given up.
fn cut_at(text: &[u8], max: usize) -> usize {
    if text.len() <= max {
        return text.len();
    }
    (max.saturating_sub(3)..=max)
        .rev()
        .find(|at| text.get(*at).is_some_and(|byte| byte & 0xC0 != 0x80))
        .unwrap_or(max)
}

/// The path of a request's target, without its query: a query may carry a token.
///
/// *Shape*: the first 200 bytes, still percent-encoded. Anything in it that looks
/// like a credential of ours is blanked when it is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UrlPath(Text<{ UrlPath::BYTES_MAX }>);

impl UrlPath {
    /// Longest path kept, in bytes: keys may have 1024, but few have 100, and each
    /// byte here is a byte of every record in the rings.
    pub const BYTES_MAX: usize = 200;

    /// No path.
    pub const EMPTY: Self = Self(Text::EMPTY);

    /// The path of a request target; everything from the first `?` or `#` is left
    /// out.
    #[must_use]
    pub fn of_target(target: &[u8]) -> Self {
        let path = target.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
        let mut kept = Text::new(path);
        blank_credentials(kept.bytes.get_mut(..usize::from(kept.len)).unwrap_or_default());
        Self(kept)
    }

    /// The bytes kept.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// How our credentials begin. A client with a fault in its URL building may send
/// one inside the path, as in `/file%3Ftoken=PREA_…`.
const CREDENTIAL_PREFIXES: [&[u8]; 5] = [b"PREA_", b"RT1.", b"RD1.", b"RK1.", b"RS1."];

/// Overwrites what follows a credential's prefix, as far as the segment goes.
///
/// *Cost*: a look at each dot and underscore, with which all prefixes end, for each
/// request has a path.
fn blank_credentials(path: &mut [u8]) {
    let mut from = 0;
    while let Some(at) = path.get(from..).and_then(|rest| memchr::memchr2(b'.', b'_', rest)) {
        from = from.saturating_add(at).saturating_add(1);
        let begins = path.get(..from).is_some_and(ends_with_prefix);
        let rest = path.iter_mut().skip(from).take_while(|byte| begins && **byte != b'/');
        rest.for_each(|byte| *byte = b'*');
    }
}

fn ends_with_prefix(text: &[u8]) -> bool {
    CREDENTIAL_PREFIXES.iter().any(|prefix| {
        let end = text.len().checked_sub(prefix.len()).and_then(|from| text.get(from..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(prefix))
    })
}

#[cfg(test)]
mod tests {
    use super::{Text, UrlPath};

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(Text::<4>::new("abcdef").as_bytes(), b"abcd");
        assert_eq!(Text::<4>::new("abc\u{e9}").as_bytes(), b"abc");
        assert_eq!(Text::<3>::new("\u{1F600}x").as_bytes(), b"");
        assert_eq!(Text::<2>::new([0xFF, 0xFE, 0xFD]).as_bytes(), [0xFF, 0xFE]);
        assert_eq!(Text::<9>::new("demo").and(":").and("username").to_string(), "demo:user");
        assert!(Text::<9>::new("").is_empty());
    }

    #[test]
    fn a_path_never_holds_a_token() {
        let path = |target: &str| {
            String::from_utf8_lossy(UrlPath::of_target(target.as_bytes()).as_bytes()).into_owned()
        };
        assert_eq!(path("/demo/0102/file.pdf?token=PREA_77"), "/demo/0102/file.pdf");
        assert_eq!(path("/demo/0102/f#PREA_77"), "/demo/0102/f");
        assert_eq!(path("/demo/f%3Ftoken=PREA_77aa/x"), "/demo/f%3Ftoken=PREA_****/x");
        assert_eq!(path("/rt1.abc/RT1.def/g"), "/rt1.***/RT1.***/g");
        assert_eq!(path(&format!("/{}", "x".repeat(500))).len(), UrlPath::BYTES_MAX);
    }
}
