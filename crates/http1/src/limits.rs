//! The bounds of one request, each with its reason.

/// How much of everything one request may bring.
///
/// *Units*: bytes and counts of what is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest request line and longest header line, without their CRLF. A
    /// pre-authorized URI or a presigned URL with a key of 1,024 bytes, every one
    /// percent-encoded, stays below 5 KiB.
    pub line_bytes_max: usize,
    /// Longest head, from the request line to the empty line. 90 metadata items
    /// at Swift's limit of 4 KiB, five ticket headers and what SDKs send stay
    /// below 16 KiB. More than the 64 KiB of a
    /// [`RequestHead`](repono_core::request::RequestHead) has no effect.
    pub head_bytes_max: usize,
    /// Most header fields besides metadata. Browsers and SDKs send up to 30. More
    /// than 192 fields of both kinds together are never parsed.
    pub fields_max: usize,
    /// Most metadata fields (`x-object-meta-`, `x-container-meta-`,
    /// `x-account-meta-`). More than Swift's `max_meta_count` of 90, so that the
    /// interface can say which limit a request is beyond.
    pub metadata_fields_max: usize,
    /// Longest extension of one chunk, with its first `;`. No client sends any;
    /// AWS chunk signatures are inside the body, not here.
    pub chunk_extension_bytes_max: usize,
    /// Longest sum of the extensions of one body, so that extensions cannot be
    /// most of the traffic.
    pub chunk_extensions_bytes_max: usize,
    /// Longest trailer section; it is read and dropped.
    pub trailer_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes_max: 8 * 1024,
            head_bytes_max: 32 * 1024,
            fields_max: 64,
            metadata_fields_max: 128,
            chunk_extension_bytes_max: 256,
            chunk_extensions_bytes_max: 4 * 1024,
            trailer_bytes_max: 4 * 1024,
        }
    }
}
