//! Whether a browser shows a file or saves it, and under which name.

use crate::percent;

/// What a browser does with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    /// Show it: only types that cannot carry script.
    Inline,
    /// Save it.
    Attachment,
}

/// Types that are shown besides audio and video. SVG and every other XML are
/// left out: they run scripts.
const INLINE: [&str; 11] = [
    "application/pdf",
    "text/plain",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/bmp",
    "image/tiff",
    "image/x-icon",
    "image/vnd.microsoft.icon",
];

impl Disposition {
    /// The disposition of a media type, whatever its parameters.
    pub(super) fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let listed = INLINE.iter().any(|inline| essence.eq_ignore_ascii_case(inline));
        if listed || plays(essence) { Self::Inline } else { Self::Attachment }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Attachment => "attachment",
        }
    }
}

/// Audio and video by a plain name: a `+` would announce another syntax beneath,
/// such as XML.
fn plays(essence: &str) -> bool {
    let Some((kind, subtype)) = essence.split_once('/') else {
        return false;
    };
    let plain = subtype.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    let sounds = kind.eq_ignore_ascii_case("audio") || kind.eq_ignore_ascii_case("video");
    sounds && plain && !subtype.is_empty() && !subtype.to_ascii_lowercase().contains("xml")
}

/// Appends the value of `Content-Disposition` (RFC 6266, the name by RFC 8187).
pub(super) fn append(disposition: Disposition, file_name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(disposition.as_str().as_bytes());
    out.extend_from_slice(b"; filename*=UTF-8''");
    percent::encode_segment(file_name, out);
}

#[cfg(test)]
mod tests {
    use super::{Disposition, append};

    #[test]
    fn only_what_cannot_run_is_shown() {
        let inline = [
            "application/pdf",
            "text/plain; charset=utf-8",
            "IMAGE/PNG",
            "audio/mpeg",
            "video/mp4 ; codecs=x",
        ];
        for content_type in inline {
            assert_eq!(Disposition::of(content_type), Disposition::Inline, "{content_type}");
        }
        let attachment = [
            "text/html",
            "text/xml",
            "application/xhtml+xml",
            "image/svg+xml",
            "image/svg",
            "image/x+xml",
            "audio/x+xml",
            "video/xml",
            "video/",
            "application/octet-stream",
            "text/plain,text/html",
            "",
        ];
        for content_type in attachment {
            assert_eq!(Disposition::of(content_type), Disposition::Attachment, "{content_type}");
        }
    }

    #[test]
    fn no_name_ends_the_value() {
        let mut out = Vec::new();
        append(Disposition::Attachment, "a\"; x=\r\nü/.pdf", &mut out);
        assert_eq!(out, b"attachment; filename*=UTF-8''a%22%3B%20x%3D%0D%0A%C3%BC%2F.pdf");
    }
}
