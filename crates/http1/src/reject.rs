//! Every cause of refusing a request before anybody looks at what it asks for.

use repono_core::refusal::Refusal;

/// Why a request head or a body was refused.
///
/// All of them are the client's fault, and after each the position of the next
/// request in the stream is not certain: the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reject {
    /// More than one empty line before the request line (RFC 9112 section 2.2
    /// asks to skip "at least one").
    #[error("empty lines before the request line")]
    BlankLine,
    /// A line of the head ends with LF alone.
    #[error("a line of the head ends with a bare LF")]
    BareLf,
    /// A CR without LF, or text after the version.
    #[error("a line of the head does not end with CRLF")]
    LineEnd,
    /// Not `method SP target SP version`.
    #[error("the request line is malformed")]
    RequestLine,
    /// A method that is not served: CONNECT, TRACE, PATCH, anything longer or
    /// in lower case.
    #[error("the method is not served")]
    MethodUnknown,
    /// The request line is longer than [`Limits::line_bytes_max`](crate::Limits::line_bytes_max).
    #[error("the request target is too long")]
    TargetTooLong,
    /// A raw byte above ASCII, a backslash, a quote or an angle bracket.
    #[error("the request target contains a character that must be percent-encoded")]
    TargetCharacter,
    /// A `#` in the target.
    #[error("the request target contains a fragment")]
    TargetFragment,
    /// Not a path, nor `*` with OPTIONS, nor an absolute `http` or `https` URI
    /// with a path.
    #[error("the request target is neither a path nor an absolute URI")]
    TargetForm,
    /// An absolute URI whose authority is not byte for byte the `Host` field.
    #[error("the request target names another host than the Host field")]
    TargetHost,
    /// Not HTTP/1.0 or HTTP/1.1.
    #[error("the HTTP version is not supported")]
    Version,
    /// A header line is longer than [`Limits::line_bytes_max`](crate::Limits::line_bytes_max).
    #[error("a header line is too long")]
    FieldTooLong,
    /// The head is longer than [`Limits::head_bytes_max`](crate::Limits::head_bytes_max).
    #[error("the request head is too long")]
    HeadTooLong,
    /// More fields than [`Limits::fields_max`](crate::Limits::fields_max), or
    /// more metadata than [`Limits::metadata_fields_max`](crate::Limits::metadata_fields_max).
    #[error("there are too many header fields")]
    FieldsTooMany,
    /// A line that begins with white space (obs-fold).
    #[error("a header line is folded")]
    FieldFolded,
    /// An empty name, a character outside the token set, or white space before
    /// the colon.
    #[error("the name of a header field is malformed")]
    FieldName,
    /// A control character, a bare CR or 0xFF.
    #[error("the value of a header field contains a control character")]
    FieldValue,
    /// A name that becomes a credential or a framing field where `_` and `-` are
    /// the same, such as `x_auth_user`.
    #[error("the name of a header field could be taken for another")]
    FieldAlias,
    /// HTTP/1.1 without `Host`.
    #[error("the Host field is missing")]
    HostMissing,
    /// More than one `Host` line.
    #[error("the Host field is repeated")]
    HostRepeated,
    /// Not one host name or address with an optional port.
    #[error("the Host field is malformed")]
    HostInvalid,
    /// Both `Content-Length` and `Transfer-Encoding`.
    #[error("the body is framed by Content-Length and by Transfer-Encoding")]
    LengthAndEncoding,
    /// More than one `Content-Length` line, be they equal.
    #[error("the Content-Length field is repeated")]
    LengthRepeated,
    /// Not plain digits without leading zeros, or beyond 64 bits.
    #[error("the Content-Length field is malformed")]
    LengthInvalid,
    /// More than one `Transfer-Encoding` line.
    #[error("the Transfer-Encoding field is repeated")]
    EncodingRepeated,
    /// An empty element, a parameter, or `chunked` where it is not the only and
    /// last coding.
    #[error("the Transfer-Encoding field is malformed")]
    EncodingInvalid,
    /// A transfer coding other than `chunked`.
    #[error("the transfer coding is not supported")]
    EncodingUnknown,
    /// `Transfer-Encoding` in HTTP/1.0.
    #[error("Transfer-Encoding came with HTTP/1.0")]
    EncodingVersion,
    /// An expectation other than one `100-continue`.
    #[error("the expectation cannot be met")]
    Expectation,
    /// Not 1 to 16 hex digits followed by CRLF or `;`.
    #[error("a chunk size is malformed")]
    ChunkSize,
    /// Not `;name`, `;name=token` or `;name="quoted"`.
    #[error("a chunk extension is malformed")]
    ChunkExtension,
    /// Beyond [`Limits::chunk_extension_bytes_max`](crate::Limits::chunk_extension_bytes_max)
    /// or the sum of them beyond
    /// [`Limits::chunk_extensions_bytes_max`](crate::Limits::chunk_extensions_bytes_max).
    #[error("the chunk extensions are too long")]
    ChunkExtensionTooLong,
    /// The bytes of a chunk are not followed by CRLF.
    #[error("a chunk does not end where its size says")]
    ChunkEnd,
    /// A line of the trailer section is not `name: value` CRLF.
    #[error("the trailer section is malformed")]
    Trailer,
    /// The trailer section is longer than [`Limits::trailer_bytes_max`](crate::Limits::trailer_bytes_max).
    #[error("the trailer section is too long")]
    TrailerTooLong,
}

const MALFORMED: Refusal =
    Refusal::new(400, "InvalidRequest", "The request is not well-formed HTTP/1.1.").closing();
const FRAMING: Refusal =
    Refusal::new(400, "InvalidRequest", "Frame the body by exactly one Content-Length or by chunked coding.")
        .closing();
const CHUNKS: Refusal =
    Refusal::new(400, "IncompleteBody", "The chunked coding of the body is malformed.").closing();
const HOST: Refusal =
    Refusal::new(400, "InvalidRequest", "Send exactly one Host field, the same as in the request target.")
        .closing();
const TARGET: Refusal =
    Refusal::new(400, "InvalidURI", "Percent-encode the path and the query, and leave out the fragment.")
        .closing();
const TARGET_TOO_LONG: Refusal =
    Refusal::new(414, "UriTooLong", "The request target is longer than 8 KiB.").closing();
const HEAD_TOO_LARGE: Refusal =
    Refusal::new(431, "RequestHeaderSectionTooLarge", "Send fewer or shorter header fields.").closing();
const EXPECTATION: Refusal =
    Refusal::new(417, "ExpectationFailed", "The only expectation that is met is 100-continue.").closing();
const METHOD: Refusal =
    Refusal::new(405, "MethodNotAllowed", "The method is not known here; see the Allow header.").closing();
const ENCODING: Refusal =
    Refusal::new(501, "NotImplemented", "The only transfer coding of requests is chunked.").closing();
const VERSION: Refusal =
    Refusal::new(505, "HttpVersionNotSupported", "Use HTTP/1.1, or HTTP/2 by ALPN.").closing();

impl Reject {
    /// What the client is told; it always closes the connection.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::BlankLine
            | Self::BareLf
            | Self::LineEnd
            | Self::RequestLine
            | Self::FieldFolded
            | Self::FieldName
            | Self::FieldValue
            | Self::FieldAlias => MALFORMED,
            Self::TargetCharacter | Self::TargetFragment | Self::TargetForm => TARGET,
            Self::TargetHost | Self::HostMissing | Self::HostRepeated | Self::HostInvalid => HOST,
            Self::TargetTooLong => TARGET_TOO_LONG,
            Self::FieldTooLong | Self::HeadTooLong | Self::FieldsTooMany | Self::TrailerTooLong => {
                HEAD_TOO_LARGE
            }
            Self::LengthAndEncoding
            | Self::LengthRepeated
            | Self::LengthInvalid
            | Self::EncodingRepeated
            | Self::EncodingInvalid
            | Self::EncodingVersion => FRAMING,
            Self::ChunkSize
            | Self::ChunkExtension
            | Self::ChunkExtensionTooLong
            | Self::ChunkEnd
            | Self::Trailer => CHUNKS,
            Self::Expectation => EXPECTATION,
            Self::MethodUnknown => METHOD,
            Self::EncodingUnknown => ENCODING,
            Self::Version => VERSION,
        }
    }
}
