//! Pre-authorized URIs: `/{account}/{56 hex}/{file name}?token=PREA_{56 hex}`.
//!
//! Stateless: the handle says what is granted, the token proves that a head said
//! so. The handle's 28 bytes:
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 1 | version, 1 |
//! | 1 | 1 | key id |
//! | 2 | 4 | expiry, Unix seconds, big-endian |
//! | 6 | 1 | flags |
//! | 7 | 4 | user id |
//! | 11 | 4 | application id |
//! | 15 | 8 | version id of the object |
//! | 23 | 5 | beginning of the ticket's salt |
//!
//! The token is HMAC-SHA-256, cut to 28 bytes, over `REPONO-PREA-V1\n` and then
//! handle, account and file name, each under its length as big-endian `u32`.

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use repono_core::id::VersionId;
use subtle::ConstantTimeEq;

use crate::fields::{Salt, hex};
use crate::preauth_keys::PreauthKeys;
use crate::scope::Scope;
use crate::verify::Verified;

/// Seconds that a URI lives at most: a link is easier to leak than a ticket.
pub const PREAUTH_LIFE_MAX_S: u64 = 15 * 60;
/// Hex digits of a handle, and of a token after its prefix.
pub const PREAUTH_HANDLE_HEX: usize = 2 * BYTES;
/// What stands before a token's hex digits, so that leaked ones can be searched.
pub const PREAUTH_TOKEN_PREFIX: &str = "PREA_";

/// Bytes of a handle and of a token: 224 bits, the size in the incident's trace.
const BYTES: usize = 28;
const VERSION: u8 = 1;
const TAG: &[u8] = b"REPONO-PREA-V1\n";

/// Clocks of heads differ by less than this: what lies further ahead than the
/// longest life was minted by no head of ours.
const AHEAD_S: u64 = PREAUTH_LIFE_MAX_S + crate::life::CLOCK_SKEW_S;

/// Everything but unreserved characters (RFC 3986 section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a pre-authorized URI grants: GET and HEAD of one version of one object, in
/// the name of a user and an application, until it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreauthClaims {
    /// Unix seconds at which it ends; see [`PreauthClaims::for_ticket`].
    pub expiry_s: u32,
    /// How it may be used.
    pub flags: PreauthFlags,
    /// The user in whose name it is used.
    pub user_id: u32,
    /// The application that asked for it.
    pub application_id: u32,
    /// The version of the object that it names.
    pub version: VersionId,
    /// The beginning of the salt of the ticket behind it.
    pub salt_prefix: [u8; Salt::PREFIX_BYTES],
}

/// How a pre-authorized URI may be used: version 1 of the handle knows no flag, and
/// a set bit is refused, so that an old head never ignores a new restriction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PreauthFlags(u8);

impl PreauthFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
}

/// A pre-authorized URI does not count: one refusal for every fault, so that it
/// tells nothing about what exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pre-authorized URI does not count")]
pub struct PreauthRefused;

/// A pre-authorized URI whose token held: only [`verify_preauth`] makes one.
///
/// Revocation, the state of user and application, and policy are asked at every
/// use; so is whether the version is still the current one.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedPreauth {
    claims: PreauthClaims,
    key_id: u8,
}

impl PreauthClaims {
    /// The claims that a verified ticket may be turned into at `now_s`: as long as
    /// any URI may live, but never beyond the ticket.
    ///
    /// `None` when the ticket's scope does not permit links
    /// ([`Scope::permits_links`]) or its time is over.
    #[must_use]
    pub fn for_ticket(
        ticket: &Verified,
        now_s: u64,
        user_id: u32,
        application_id: u32,
        version: VersionId,
    ) -> Option<Self> {
        let expiry = ticket.expiry().min(now_s.saturating_add(PREAUTH_LIFE_MAX_S));
        if expiry <= now_s || !ticket.scope().is_none_or(Scope::permits_links) {
            return None;
        }
        Some(Self {
            expiry_s: u32::try_from(expiry).ok()?,
            flags: PreauthFlags::NONE,
            user_id,
            application_id,
            version,
            salt_prefix: ticket.salt().prefix(),
        })
    }

    fn handle(&self, key_id: u8) -> [u8; BYTES] {
        let mut handle = [0; BYTES];
        let [v, k, rest @ ..] = &mut handle;
        (*v, *k) = (VERSION, key_id);
        let fields: [&[u8]; 6] = [
            &self.expiry_s.to_be_bytes(),
            &[self.flags.0],
            &self.user_id.to_be_bytes(),
            &self.application_id.to_be_bytes(),
            &self.version.as_u64().to_be_bytes(),
            &self.salt_prefix,
        ];
        for (to, from) in rest.iter_mut().zip(fields.into_iter().flatten()) {
            *to = *from;
        }
        handle
    }

    /// `None` for another version, a flag that is not known, or a version id that
    /// no store can have.
    fn parse(handle: &[u8; BYTES]) -> Option<Self> {
        let mut rest = handle.as_slice();
        let [version, _key_id] = take(&mut rest)?;
        let expiry_s = u32::from_be_bytes(take(&mut rest)?);
        let [flags] = take(&mut rest)?;
        let user_id = u32::from_be_bytes(take(&mut rest)?);
        let application_id = u32::from_be_bytes(take(&mut rest)?);
        let object = VersionId::from_u64(u64::from_be_bytes(take(&mut rest)?))?;
        let salt_prefix = take(&mut rest)?;
        (version == VERSION && flags == PreauthFlags::NONE.0).then_some(Self {
            expiry_s,
            flags: PreauthFlags::NONE,
            user_id,
            application_id,
            version: object,
            salt_prefix,
        })
    }
}

/// Makes a handle (56 hex digits) and its token (`PREA_` and 56 hex digits).
///
/// `file_name` is the decoded last segment of the URI.
#[must_use]
pub fn mint(keys: &PreauthKeys, claims: &PreauthClaims, account: &str, file_name: &str) -> (String, String) {
    let (handle, token) = sealed(keys, claims, account, file_name);
    (HEXLOWER.encode(&handle), format!("{PREAUTH_TOKEN_PREFIX}{}", HEXLOWER.encode(&token)))
}

/// Appends the whole URI, path and query, file name percent-encoded.
///
/// *Cost*: no allocation but the growth of `out`.
pub fn append_preauth_uri(
    keys: &PreauthKeys,
    claims: &PreauthClaims,
    account: &str,
    file_name: &str,
    out: &mut Vec<u8>,
) {
    let (handle, token) = sealed(keys, claims, account, file_name);
    let mut hex = [0; PREAUTH_HANDLE_HEX];
    out.push(b'/');
    append_encoded(account, out);
    out.push(b'/');
    HEXLOWER.encode_mut(&handle, &mut hex);
    out.extend_from_slice(&hex);
    out.push(b'/');
    append_encoded(file_name, out);
    out.extend_from_slice(b"?token=");
    out.extend_from_slice(PREAUTH_TOKEN_PREFIX.as_bytes());
    HEXLOWER.encode_mut(&token, &mut hex);
    out.extend_from_slice(&hex);
}

/// Checks a handle and its token, both as 56 lower-case hex digits (the token
/// without `PREA_`), for the decoded account and file name of the URI.
///
/// The token is compared in constant time; an unknown key costs the same work as a
/// wrong token. A URI counts until its expiry, without allowance: heads made it,
/// and heads check it.
///
/// *Errors*: [`PreauthRefused`], whatever the fault.
pub fn verify_preauth(
    keys: &PreauthKeys,
    account: &str,
    handle_hex: &[u8],
    file_name: &str,
    token_hex: &[u8],
    now_s: u64,
) -> Result<VerifiedPreauth, PreauthRefused> {
    let handle: [u8; BYTES] = hex(handle_hex).ok_or(PreauthRefused)?;
    let token: [u8; BYTES] = hex(token_hex).ok_or(PreauthRefused)?;
    let [_version, key_id, ..] = handle;
    let key = keys.find(key_id);
    let expected = tag(key.unwrap_or(keys.dummy()), &handle, account, file_name);
    let holds = bool::from(expected.ct_eq(&token)) & key.is_some();
    let claims = PreauthClaims::parse(&handle).filter(|_| holds).ok_or(PreauthRefused)?;
    let expiry = u64::from(claims.expiry_s);
    if expiry <= now_s || expiry > now_s.saturating_add(AHEAD_S) {
        return Err(PreauthRefused);
    }
    Ok(VerifiedPreauth { claims, key_id })
}

impl VerifiedPreauth {
    /// Unix seconds at which it ends.
    #[must_use]
    pub fn expiry(&self) -> u64 {
        u64::from(self.claims.expiry_s)
    }

    /// How it may be used.
    #[must_use]
    pub const fn flags(&self) -> PreauthFlags {
        self.claims.flags
    }

    /// The user in whose name it is used.
    #[must_use]
    pub const fn user_id(&self) -> u32 {
        self.claims.user_id
    }

    /// The application that asked for it.
    #[must_use]
    pub const fn application_id(&self) -> u32 {
        self.claims.application_id
    }

    /// The version of the object that it names.
    #[must_use]
    pub const fn version(&self) -> VersionId {
        self.claims.version
    }

    /// The beginning of the salt of the ticket behind it.
    #[must_use]
    pub const fn salt_prefix(&self) -> [u8; Salt::PREFIX_BYTES] {
        self.claims.salt_prefix
    }

    /// The key under which it was minted.
    #[must_use]
    pub const fn key_id(&self) -> u8 {
        self.key_id
    }
}

fn sealed(
    keys: &PreauthKeys,
    claims: &PreauthClaims,
    account: &str,
    file_name: &str,
) -> ([u8; BYTES], [u8; BYTES]) {
    let (key_id, key) = keys.active();
    let handle = claims.handle(key_id);
    (handle, tag(key, &handle, account, file_name))
}

fn tag(key: &hmac::Key, handle: &[u8; BYTES], account: &str, file_name: &str) -> [u8; BYTES] {
    let mut context = hmac::Context::with_key(key);
    context.update(TAG);
    for field in [handle.as_slice(), account.as_bytes(), file_name.as_bytes()] {
        // A request head holds at most 64 KiB.
        let len = u32::try_from(field.len()).unwrap_or(u32::MAX);
        context.update(&len.to_be_bytes());
        context.update(field);
    }
    let mut cut = [0; BYTES];
    for (to, from) in cut.iter_mut().zip(context.sign().as_ref()) {
        *to = *from;
    }
    cut
}

fn append_encoded(text: &str, out: &mut Vec<u8>) {
    for piece in percent_encode(text.as_bytes(), ENCODED) {
        out.extend_from_slice(piece.as_bytes());
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests;
