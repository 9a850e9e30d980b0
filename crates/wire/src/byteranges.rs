//! The body of a reply with several ranges: `multipart/byteranges`, with its exact
//! length known before the first byte.
//!
//! *Source*: RFC 9110 section 14.6; `swift/common/swob.py`, `multi_range_iterator`.

use std::ops::Range;

/// What stands between the parts: 32 hex digits drawn by the caller for each reply.
pub type Boundary = [u8; 32];

/// The parts of one reply, all of the same object.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Drawn at random, so that no content can contain it by design.
    pub boundary: &'a Boundary,
    /// The media type of the object.
    pub content_type: &'a str,
    /// The size of the whole object.
    pub size: u64,
    /// Half-open, non-empty, within the object.
    pub ranges: &'a [Range<u64>],
}

impl Parts<'_> {
    /// Appends what stands before the bytes of one range.
    pub fn part_head(&self, range: &Range<u64>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"--");
        out.extend_from_slice(self.boundary);
        out.extend_from_slice(b"\r\nContent-Type: ");
        out.extend_from_slice(self.content_type.as_bytes());
        let last = range.end.saturating_sub(1);
        let line = format!("\r\nContent-Range: bytes {}-{last}/{}\r\n\r\n", range.start, self.size);
        out.extend_from_slice(line.as_bytes());
    }

    /// Appends what stands after the bytes of each range.
    pub fn part_end(out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
    }

    /// Appends what stands after the last part.
    pub fn finish(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"--");
        out.extend_from_slice(self.boundary);
        out.extend_from_slice(b"--");
    }

    /// The length of the whole body, in bytes.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        let mut frame = Vec::new();
        let mut content: u64 = 0;
        for range in self.ranges {
            self.part_head(range, &mut frame);
            Self::part_end(&mut frame);
            content = content.saturating_add(range.end.saturating_sub(range.start));
        }
        self.finish(&mut frame);
        content.saturating_add(frame.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::Parts;

    #[test]
    fn the_body_is_as_long_as_announced() {
        let object = b"0123456789";
        let boundary = b"0123456789abcdef0123456789abcdef";
        let ranges = [0..2, 7..10];
        let parts = Parts { boundary, content_type: "text/plain", size: 10, ranges: &ranges };
        let mut body = Vec::new();
        for range in &ranges {
            parts.part_head(range, &mut body);
            body.extend_from_slice(&object[range.start as usize..range.end as usize]);
            Parts::part_end(&mut body);
        }
        parts.finish(&mut body);
        assert_eq!(parts.body_bytes(), body.len() as u64);
        let text = "--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n\
                    --B\r\nContent-Type: text/plain\r\nContent-Range: bytes 7-9/10\r\n\r\n789\r\n--B--";
        let expected = text.replace("--B", "--0123456789abcdef0123456789abcdef");
        assert_eq!(String::from_utf8(body).expect("text"), expected);
    }
}
