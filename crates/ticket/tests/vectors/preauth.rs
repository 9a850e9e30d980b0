//! Vectors of pre-authorized URIs.

use data_encoding::HEXLOWER;
use repono_core::id::VersionId;
use repono_ticket::{
    PreauthClaims, PreauthFlags, PreauthKeys, PreauthRefused, append_preauth_uri, mint, verify_preauth,
};
use serde::{Deserialize, Serialize};

use super::ticket::NOW;

const ACTIVE: (u8, [u8; 32]) = (7, *b"thirty-two bytes, shared by all.");
const OLD: (u8, [u8; 32]) = (6, *b"thirty-two bytes of the last one");

#[derive(Serialize, Deserialize)]
pub(crate) struct Document {
    about: String,
    now: u64,
    keys: Vec<(u8, String)>,
    accepted: Vec<Accepted>,
    refused: Vec<Refusal>,
}

#[derive(Serialize, Deserialize)]
struct Accepted {
    expiry: u32,
    user_id: u32,
    application_id: u32,
    version: u64,
    salt_prefix: String,
    account: String,
    file_name: String,
    handle: String,
    token: String,
    uri: String,
}

#[derive(Serialize, Deserialize)]
struct Refusal {
    name: String,
    now: u64,
    account: String,
    handle: String,
    file_name: String,
    token: String,
}

fn ring(active: (u8, [u8; 32]), other: (u8, [u8; 32])) -> PreauthKeys {
    PreauthKeys::new((active.0, &active.1), [(other.0, &other.1)]).expect("two keys")
}

fn granted() -> PreauthClaims {
    PreauthClaims {
        expiry_s: u32::try_from(NOW + 600).expect("before 2106"),
        flags: PreauthFlags::NONE,
        user_id: 3,
        application_id: 5,
        version: VersionId::from_u64(0x0123_4567_89ab_cdef).expect("63 bits"),
        salt_prefix: *b"twelv",
    }
}

/// What the code makes now.
pub(crate) fn document() -> Document {
    let keys = ring(ACTIVE, OLD);
    Document {
        about: "Pre-authorized URIs of Repono. Times are Unix seconds, keys HMAC-SHA-256 secrets by id; \
            the first one mints. Each of `refused` is refused at its own `now`."
            .to_owned(),
        now: NOW,
        keys: [ACTIVE, OLD].map(|(id, secret)| (id, HEXLOWER.encode(&secret))).to_vec(),
        accepted: vec![
            accepted(&keys, &granted(), "acme", "orig.pdf"),
            accepted(&keys, &granted(), "acme", "caf\u{e9} 100%?.pdf"),
            accepted(&ring(OLD, ACTIVE), &granted(), "acme", "orig.pdf"),
        ],
        refused: refused(&keys),
    }
}

fn accepted(keys: &PreauthKeys, claims: &PreauthClaims, account: &str, file_name: &str) -> Accepted {
    let (handle, token) = mint(keys, claims, account, file_name);
    let mut uri = Vec::new();
    append_preauth_uri(keys, claims, account, file_name, &mut uri);
    Accepted {
        expiry: claims.expiry_s,
        user_id: claims.user_id,
        application_id: claims.application_id,
        version: claims.version.as_u64(),
        salt_prefix: HEXLOWER.encode(&claims.salt_prefix),
        account: account.to_owned(),
        file_name: file_name.to_owned(),
        handle,
        token,
        uri: String::from_utf8(uri).expect("ASCII"),
    }
}

fn refused(keys: &PreauthKeys) -> Vec<Refusal> {
    let (handle, token) = mint(keys, &granted(), "acme", "orig.pdf");
    let token = token.strip_prefix("PREA_").expect("prefix").to_owned();
    let refusal = |name: &str, account: &str, handle: &str, file_name: &str, token: &str| Refusal {
        name: name.to_owned(),
        now: NOW,
        account: account.to_owned(),
        handle: handle.to_owned(),
        file_name: file_name.to_owned(),
        token: token.to_owned(),
    };
    let (mut all, fields) = (
        Vec::new(),
        [
            ("version", 0),
            ("key id, unknown", 1),
            ("expiry", 5),
            ("flags", 6),
            ("user", 10),
            ("application", 14),
            ("object version", 22),
            ("salt", 27),
        ],
    );
    for (name, at) in fields {
        let mut bytes = HEXLOWER.decode(handle.as_bytes()).expect("hex");
        bytes[at] ^= 8;
        let name = format!("handle: another {name}");
        all.push(refusal(&name, "acme", &HEXLOWER.encode(&bytes), "orig.pdf", &token));
    }
    let other_key = format!("{}06{}", &handle[..2], &handle[4..]);
    let zeros = "0".repeat(56);
    all.extend([
        refusal("handle: the key id of another key", "acme", &other_key, "orig.pdf", &token),
        refusal("handle: upper case", "acme", &handle.to_uppercase(), "orig.pdf", &token),
        refusal("handle: two digits short", "acme", &handle[2..], "orig.pdf", &token),
        refusal("handle: two digits more", "acme", &format!("{handle}00"), "orig.pdf", &token),
        refusal("another account", "globex", &handle, "orig.pdf", &token),
        refusal("another file name", "acme", &handle, "orig.pdf2", &token),
        refusal("file name in upper case", "acme", &handle, "ORIG.pdf", &token),
        refusal("a byte slid from the name to the account", "acmeo", &handle, "rig.pdf", &token),
        refusal("token: last digit changed", "acme", &handle, "orig.pdf", &format!("{}0", &token[..55])),
        refusal("token: cut", "acme", &handle, "orig.pdf", &token[..54]),
        refusal("token: upper case", "acme", &handle, "orig.pdf", &token.to_uppercase()),
        refusal("token: with its prefix", "acme", &handle, "orig.pdf", &format!("PREA_{token}")),
        refusal("token: all zero", "acme", &handle, "orig.pdf", &zeros),
        refusal("token and handle exchanged", "acme", &token, "orig.pdf", &handle),
        refusal("nothing", "acme", "", "orig.pdf", ""),
    ]);
    let good = || refusal("", "acme", &handle, "orig.pdf", &token);
    all.push(Refusal { name: "at its expiry".to_owned(), now: NOW + 600, ..good() });
    all.push(Refusal { name: "longer than any may live".to_owned(), now: NOW + 600 - 931, ..good() });
    all
}

/// Checks what a file holds.
pub(crate) fn check(document: &Document) {
    let keys = ring(ACTIVE, OLD);
    for vector in &document.accepted {
        let token = vector.token.strip_prefix("PREA_").expect("prefix").as_bytes();
        let handle = vector.handle.as_bytes();
        let checked = verify_preauth(&keys, &vector.account, handle, &vector.file_name, token, document.now);
        let proof = checked.expect("a good URI");
        assert_eq!(proof.expiry(), u64::from(vector.expiry));
        assert_eq!((proof.user_id(), proof.application_id()), (vector.user_id, vector.application_id));
        assert_eq!(proof.version().as_u64(), vector.version);
        assert_eq!(HEXLOWER.encode(&proof.salt_prefix()), vector.salt_prefix);
    }
    for vector in &document.refused {
        let Refusal { name, now, account, handle, file_name, token } = vector;
        let checked = verify_preauth(&keys, account, handle.as_bytes(), file_name, token.as_bytes(), *now);
        assert_eq!(checked.map(|_| ()), Err(PreauthRefused), "{name}");
    }
}
