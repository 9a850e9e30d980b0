//! Every refusal of the native interface, as constants.
//!
//! *Source*: status codes of OpenStack Swift; codes in the style of S3. The
//! refusals of HTTP framing belong to the codec.

use repono_core::refusal::Refusal;

/// Seconds after which a momentary shortage is worth another try: longer than a
/// group commit, shorter than a person's patience.
const MOMENT_S: u32 = 1;

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $value:expr;)*) => {
        $($(#[$doc])* pub const $name: Refusal = $value;)*

        /// Every constant of this module, for tests and documentation.
        pub const ALL: &[Refusal] = &[$($name),*];
    };
}

refusals! {
    /// No object has this name.
    NO_SUCH_KEY = Refusal::new(404, "NoSuchKey", "The object does not exist.");
    /// No container has this name.
    NO_SUCH_CONTAINER = Refusal::new(404, "NoSuchContainer", "The container does not exist.");
    /// Nothing is served at this address.
    NOT_FOUND = Refusal::new(404, "NotFound", "Nothing is served at this address.");
    /// The caller is known and may not do this, or the pre-authorized URI does not hold.
    ACCESS_DENIED = Refusal::new(403, "AccessDenied", "Access is denied.");
    /// No ticket, or one that does not hold.
    UNAUTHORIZED = Refusal::new(401, "Unauthorized", "A valid ticket is required.");
    /// The ticket was genuine and its time is over.
    TICKET_EXPIRED = Refusal::new(401, "TicketExpired", "The ticket has expired; ask for a new one.");
    /// The ticket headers are garbled or sent more than once.
    MALFORMED_TICKET = Refusal::new(
        400,
        "MalformedTicket",
        "Send each ticket header exactly once, in its documented form.",
    );
    /// A pre-authorized URI together with other credentials.
    AMBIGUOUS_CREDENTIALS = Refusal::new(
        400,
        "AmbiguousCredentials",
        "Send either a pre-authorized URI or a ticket, not both.",
    );
    /// The source or the user has asked too often.
    TOO_MANY_REQUESTS = Refusal::new(
        429,
        "TooManyRequests",
        "Too many requests; slow down.",
    ).retry_after(MOMENT_S);
    /// The version segment of the path is not served.
    BAD_API_VERSION = Refusal::new(400, "InvalidApiVersion", "The version of the interface is v1.");
    /// The path names no account.
    BAD_URL = Refusal::new(
        412,
        "BadUrl",
        "The path must be /v1/{account}, with a container and an object where they are meant.",
    );
    /// A name in the path is not UTF-8 or contains NUL.
    INVALID_UTF8 = Refusal::new(412, "InvalidUtf8", "Names in the path must be UTF-8 without NUL.");
    /// A percent escape is not one.
    INVALID_URI = Refusal::new(400, "InvalidURI", "A percent sign must be followed by two hex digits.");
    /// A name has a character or a segment that is not allowed.
    INVALID_KEY = Refusal::new(
        400,
        "InvalidKey",
        "Names must not contain control characters or . and .. segments; accounts are ASCII letters, digits and ._@-.",
    );
    /// A name is longer than its limit.
    KEY_TOO_LONG = Refusal::new(
        400,
        "KeyTooLongError",
        "Accounts and containers have at most 256 bytes, objects at most 1024.",
    );
    /// The method is not served at this address.
    METHOD_NOT_ALLOWED = Refusal::new(
        405,
        "MethodNotAllowed",
        "The method is not allowed here; see the Allow header.",
    );
    /// A feature that the request needs is not there.
    NOT_IMPLEMENTED = Refusal::new(
        501,
        "NotImplemented",
        "The request asks for a feature that is not served.",
    );
    /// A condition of the request does not hold.
    PRECONDITION_FAILED = Refusal::new(
        412,
        "PreconditionFailed",
        "A condition of the request does not hold.",
    );
    /// An upload with an `If-None-Match` other than `*`, or with contradicting conditions.
    INVALID_CONDITION = Refusal::new(
        400,
        "InvalidCondition",
        "An upload takes either If-None-Match: * or one entity tag in If-Match.",
    );
    /// The range lies outside the object.
    RANGE_NOT_SATISFIABLE = Refusal::new(416, "InvalidRange", "The range lies outside the object.");
    /// None of the accepted media types is available.
    NOT_ACCEPTABLE = Refusal::new(
        406,
        "NotAcceptable",
        "Listings are available as text/plain, application/json, application/xml and text/xml.",
    );
    /// A query parameter is sent twice or is not UTF-8.
    INVALID_ARGUMENT = Refusal::new(
        400,
        "InvalidArgument",
        "Query parameters must be UTF-8 without NUL and sent once each.",
    );
    /// More entries asked for than a listing gives.
    LIMIT_TOO_HIGH = Refusal::new(412, "LimitTooHigh", "The maximum limit is 10000.");
    /// A metadata name is empty.
    METADATA_NAME_EMPTY = Refusal::new(400, "InvalidMetadata", "Metadata names must not be empty.");
    /// A metadata name is longer than its limit.
    METADATA_NAME_TOO_LONG = Refusal::new(400, "MetadataTooLarge", "Metadata names have at most 128 bytes.");
    /// A metadata value is longer than its limit.
    METADATA_VALUE_TOO_LONG = Refusal::new(
        400,
        "MetadataTooLarge",
        "Metadata values have at most 256 bytes.",
    );
    /// More metadata items than allowed.
    METADATA_TOO_MANY = Refusal::new(400, "MetadataTooLarge", "There are at most 90 metadata items.");
    /// All names and values together are over the limit.
    METADATA_TOO_LARGE = Refusal::new(
        400,
        "MetadataTooLarge",
        "Metadata names and values have at most 4096 bytes together.",
    );
    /// An access list that is none.
    INVALID_ACL = Refusal::new(
        400,
        "InvalidAcl",
        "The access list is not of the documented form, or is too long.",
    );
    /// A quota that is no number.
    INVALID_QUOTA = Refusal::new(400, "InvalidQuota", "A quota must be a whole number.");
    /// An upload that the quota of the container does not admit.
    QUOTA_EXCEEDED = Refusal::new(413, "QuotaExceeded", "The upload exceeds the quota.").closing();
    /// An `Idempotency-Key` that is none.
    INVALID_IDEMPOTENCY_KEY = Refusal::new(
        400,
        "InvalidIdempotencyKey",
        "An Idempotency-Key is sent once: 1 to 255 visible ASCII characters, in quotes or bare.",
    );
    /// An `Idempotency-Key` that stands for another request.
    IDEMPOTENCY_KEY_REUSED = Refusal::new(
        422,
        "IdempotencyKeyReused",
        "This Idempotency-Key was used for another request within the last hour; take a new one.",
    );
    /// A header that is kept is sent twice, is not UTF-8 or has a control character.
    INVALID_HEADER = Refusal::new(
        400,
        "InvalidHeader",
        "Headers that are kept must be UTF-8 without control characters and sent once each.",
    );
    /// The end of an object is no second in the future.
    INVALID_DELETE_AT = Refusal::new(
        400,
        "InvalidHeader",
        "X-Delete-At is a Unix second in the future, X-Delete-After a number of seconds.",
    );
    /// The other side of a copy is not named.
    BAD_COPY_HEADER = Refusal::new(
        412,
        "BadCopyHeader",
        "Destination and X-Copy-From name a container and an object: container/object.",
    );
    /// A copy with bytes of its own.
    COPY_WITH_BODY = Refusal::new(400, "InvalidRequest", "A copy takes no body.");
    /// A header that is kept is too long.
    HEADER_TOO_LONG = Refusal::new(400, "HeaderTooLong", "A header that is kept is too long.");
    /// The media type is not usable.
    INVALID_CONTENT_TYPE = Refusal::new(
        400,
        "InvalidContentType",
        "The Content-Type is too long, is sent twice, or has a swift_ parameter.",
    );
    /// An upload without `Content-Length` and without chunked coding.
    LENGTH_REQUIRED = Refusal::new(
        411,
        "MissingContentLength",
        "Send Content-Length or Transfer-Encoding: chunked.",
    ).closing();
    /// An upload above the limit.
    ENTITY_TOO_LARGE = Refusal::new(
        413,
        "EntityTooLarge",
        "An object has at most 5368709120 bytes; upload it in parts.",
    ).closing();
    /// The bytes that arrived are not those that were announced.
    BAD_DIGEST = Refusal::new(422, "BadDigest", "The ETag does not match the MD5 of the body.");
    /// A container with objects is not deleted.
    CONTAINER_NOT_EMPTY = Refusal::new(
        409,
        "ContainerNotEmpty",
        "The container is not empty; delete its objects first.",
    );
    /// Another write to the same name won.
    CONFLICT = Refusal::new(409, "Conflict", "A newer version of the object is stored.");
    /// A manifest with more segments or bytes than allowed.
    MANIFEST_TOO_LARGE = Refusal::new(
        413,
        "EntityTooLarge",
        "A manifest has at most 1000 segments and 8388608 bytes.",
    ).closing();
    /// A manifest that names its own place.
    MANIFEST_OF_ITSELF = Refusal::new(409, "Conflict", "A manifest must not name itself as a segment.");
    /// A segment is gone or is another one than the manifest says.
    SEGMENT_CHANGED = Refusal::new(409, "Conflict", "A segment of the large object is missing or has changed.");
    /// Manifests within manifests beyond the limit, or a listing beyond it.
    TOO_MANY_SEGMENTS = Refusal::new(
        409,
        "Conflict",
        "A large object has at most 10 levels of manifests, or 100000 listed segments.",
    );
    /// A part number that is none.
    INVALID_PART_NUMBER = Refusal::new(400, "InvalidArgument", "A part number is a number above 0.");
    /// Two ways at once of asking for a part.
    PART_NUMBER_AND_RANGE = Refusal::new(
        400,
        "InvalidArgument",
        "Ask for a range or for a part number, not for both.",
    );
    /// `X-Object-Manifest` of another form.
    INVALID_OBJECT_MANIFEST = Refusal::new(
        400,
        "InvalidHeader",
        "X-Object-Manifest must be of the form container/prefix, percent-encoded.",
    );
    /// The client was too slow.
    REQUEST_TIMEOUT = Refusal::new(408, "RequestTimeout", "The request was not received in time.").closing();
    /// The client went away in the middle of its request.
    CLIENT_DISCONNECT = Refusal::new(
        499,
        "ClientDisconnect",
        "The client closed the connection before the request was complete.",
    ).closing();
    /// The disk is full.
    INSUFFICIENT_STORAGE = Refusal::new(
        507,
        "InsufficientStorage",
        "There is not enough free storage; delete objects or add capacity.",
    );
    /// More requests than this head takes at once.
    SLOW_DOWN = Refusal::new(503, "SlowDown", "Reduce the request rate.").retry_after(MOMENT_S);
    /// The store cannot be reached in time, or this head is draining.
    SERVICE_UNAVAILABLE = Refusal::new(
        503,
        "ServiceUnavailable",
        "The service is not available at the moment; try again.",
    ).retry_after(MOMENT_S);
    /// Something failed inside; the journal has the cause.
    INTERNAL_ERROR = Refusal::new(500, "InternalError", "Something failed inside; quote the request id.");
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_refusal_is_an_error_with_a_code_and_a_sentence() {
        for refusal in ALL {
            assert!((400..600).contains(&refusal.status), "{refusal:?}");
            assert!(refusal.code.bytes().all(|b| b.is_ascii_alphanumeric()), "{refusal:?}");
            assert!(refusal.message.ends_with('.'), "{refusal:?}");
            let may_retry = matches!(refusal.status, 429 | 503);
            assert_eq!(refusal.retry_after_s.is_some(), may_retry, "{refusal:?}");
        }
    }
}
