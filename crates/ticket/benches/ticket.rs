//! What tickets and pre-authorized URIs cost: `cargo bench -p repono-ticket`.

#![expect(clippy::expect_used, reason = "a test or measurement that cannot begin must end")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use repono_core::id::VersionId;
use repono_core::request::{Method, RequestHead, Version};
use repono_ticket::keyring::KeyState;
use repono_ticket::{
    Claims, Memory, PreauthClaims, PreauthFlags, PreauthKeys, Presented, Salt, TicketSigner, VerifyingKeys,
    append_preauth_uri, issue, mint, verify, verify_preauth,
};

const NOW: u64 = 1_439_686_983;

fn claims() -> Claims {
    Claims {
        account: "acme".parse().expect("name"),
        user: "alice".parse().expect("name"),
        application: "reader".parse().expect("name"),
        expiry: NOW + 1200,
        salt: Salt::from_bytes([7; 16]),
        scope: None,
    }
}

fn head(fields: Vec<(&'static str, String)>) -> RequestHead {
    let mut head = RequestHead::new(Method::Get, Version::Http11, b"/v1/acme/docs/a").expect("small");
    for (name, value) in [("Host", "localhost"), ("User-Agent", "curl/8.14.1"), ("Accept", "*/*")] {
        head.push(name.as_bytes(), value.as_bytes()).expect("small");
    }
    for (name, value) in fields {
        head.push(name.as_bytes(), value.as_bytes()).expect("small");
    }
    head
}

fn tickets(bench: &mut Criterion) {
    let (signer, _) = TicketSigner::generate().expect("random");
    let keys = VerifyingKeys::new([(signer.kid(), signer.public_key(), KeyState::Active)]).expect("one key");
    let ticket = issue(&signer, &claims());
    let head = head(ticket.headers());
    bench.bench_function("issue", |b| {
        b.iter(|| black_box(issue(&signer, black_box(&claims())).headers()));
    });
    bench.bench_function("first check", |b| {
        b.iter(|| {
            let presented = Presented::from_head(black_box(&head)).expect("form").expect("ticket");
            verify(&presented, &keys, NOW).expect("good")
        });
    });
    let mut memory = Memory::new(4096);
    bench.bench_function("remembered check", |b| {
        b.iter(|| {
            let presented = Presented::from_head(black_box(&head)).expect("form").expect("ticket");
            memory.check(&presented, &keys, NOW).expect("good")
        });
    });
}

fn preauths(bench: &mut Criterion) {
    let keys = PreauthKeys::new((1, &[9; 32]), []).expect("one key");
    let claims = PreauthClaims {
        expiry_s: u32::try_from(NOW + 600).expect("before 2106"),
        flags: PreauthFlags::NONE,
        user_id: 3,
        application_id: 5,
        version: VersionId::from_u64(11).expect("63 bits"),
        salt_prefix: [1, 2, 3, 4, 5],
    };
    let mut out = Vec::with_capacity(256);
    bench.bench_function("preauth mint", |b| {
        b.iter(|| {
            out.clear();
            append_preauth_uri(&keys, black_box(&claims), "acme", "orig.pdf", &mut out);
            black_box(out.len())
        });
    });
    let (handle, token) = mint(&keys, &claims, "acme", "orig.pdf");
    bench.bench_function("preauth verify", |b| {
        b.iter(|| {
            let token = token.as_bytes().get(5..).unwrap_or_default();
            verify_preauth(&keys, "acme", black_box(handle.as_bytes()), "orig.pdf", token, NOW)
        });
    });
}

criterion_group!(benches, tickets, preauths);
criterion_main!(benches);
