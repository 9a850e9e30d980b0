use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::{prop_assert, prop_assert_eq};
use repono_core::id::ConnectionId;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::{
    HEADER_BYTES_MAX, Header, Parsed, ProxyKey, ProxyRefused, ReceiveError, Received, encode, encode_local,
    parse, receive,
};

const LIMIT: Duration = Duration::from_secs(5);

fn key() -> ProxyKey {
    ProxyKey::new(&[0x42; 32])
}

fn header(source: &str, destination: &str) -> Header {
    Header {
        source: source.parse().expect("address"),
        destination: destination.parse().expect("address"),
        id: ConnectionId::from_bytes(*b"\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"),
    }
}

#[test]
fn the_bytes_are_those_of_the_specification() {
    let bytes = encode(&header("192.0.2.1:50000", "198.51.100.2:443"), &key());
    let signed: Vec<u8> = [
        &b"\r\n\r\n\0\r\nQUIT\n"[..],
        b"\x21\x11\x00\x3e",
        &[192, 0, 2, 1, 198, 51, 100, 2],
        &[0xC3, 0x50, 0x01, 0xBB],
        b"\x05\x00\x0c\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b",
    ]
    .concat();
    assert_eq!(bytes.len(), 78);
    assert_eq!(&bytes[..43], signed);
    assert_eq!(&bytes[43..46], b"\xE0\x00\x20");
    // openssl dgst -sha256 -mac HMAC -macopt hexkey:4242… over the first 43 bytes.
    let mac = bytes[46..].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(mac, "07fa6fa5e797bcf4424c0789dcd7c7959a8fd341caa75a235e7bb4360ee055f7");
    let v6 = encode(&header("[2001:db8::1]:1", "192.0.2.1:2"), &key());
    assert_eq!((v6.len(), &v6[12..16]), (HEADER_BYTES_MAX, &b"\x21\x21\x00\x56"[..]));
    let local = encode_local(&key());
    assert_eq!((local.len(), &local[12..16]), (51, &b"\x20\x00\x00\x23"[..]));
}

#[test]
fn every_form_is_read_back_and_what_follows_is_left() {
    for (source, destination) in [
        ("192.0.2.1:50000", "198.51.100.2:443"),
        ("[2001:db8::1]:50000", "[2001:db8::2]:443"),
        ("192.0.2.1:50000", "[2001:db8::2]:443"),
    ] {
        let header = header(source, destination);
        let mut bytes = encode(&header, &key());
        let consumed = bytes.len();
        bytes.extend_from_slice(b"\x16\x03\x01");
        assert_eq!(parse(&bytes, &key()), Ok(Parsed::Complete { header, consumed }));
    }
    let local = encode_local(&key());
    assert_eq!(parse(&local, &key()), Ok(Parsed::Local { consumed: local.len() }));
}

#[test]
fn another_key_and_other_senders_are_refused() {
    let bytes = encode(&header("192.0.2.1:1", "192.0.2.2:2"), &ProxyKey::new(&[0x43; 32]));
    assert_eq!(parse(&bytes, &key()), Err(ProxyRefused::Signature));
    let haproxy = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xc3\x50\x01\xbb";
    let others: [&[u8]; 6] = [
        b"PROXY TCP4 192.0.2.1 198.51.100.2 50000 443\r\n",
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00",
        haproxy,
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
        b"\r\n\r\n\0\r\nQUIT\n\x31",
    ];
    for other in others {
        assert_eq!(parse(other, &key()), Err(ProxyRefused::Form), "{other:?}");
    }
}

#[test]
fn a_client_header_does_not_pass_for_a_health_check() {
    // The same key signs both; the command is under the signature.
    let mut bytes = encode_local(&key());
    bytes[12] = 0x21;
    assert_eq!(parse(&bytes, &key()), Err(ProxyRefused::Form));
}

#[tokio::test]
async fn receive_takes_the_header_and_nothing_of_the_clients() {
    let header = header("192.0.2.1:50000", "198.51.100.2:443");
    for (mut bytes, expected) in
        [(encode(&header, &key()), Received::Client(header)), (encode_local(&key()), Received::Local)]
    {
        bytes.extend_from_slice(b"hello");
        let (mut balancer, mut head) = duplex(7);
        let sending = tokio::spawn(async move { balancer.write_all(&bytes).await });
        assert_eq!(receive(&mut head, &key(), LIMIT).await.expect("ours"), expected);
        let mut rest = Vec::new();
        head.read_to_end(&mut rest).await.expect("closed");
        assert_eq!(rest, b"hello");
        sending.await.expect("no panic").expect("written");
    }
}

#[tokio::test(start_paused = true)]
async fn receive_refuses_foreign_short_and_slow_beginnings() {
    let (mut balancer, mut head) = duplex(64);
    balancer.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("written");
    let error = receive(&mut head, &key(), LIMIT).await.expect_err("foreign");
    assert!(matches!(error, ReceiveError::Refused(ProxyRefused::Form)), "{error}");

    let (mut balancer, mut head) = duplex(64);
    balancer.write_all(b"\r\n\r\n\0\r\nQUIT").await.expect("written");
    let error = receive(&mut head, &key(), LIMIT).await.expect_err("slow");
    assert!(matches!(error, ReceiveError::Timeout), "{error}");

    let (mut balancer, mut head) = duplex(64);
    balancer.write_all(&encode_local(&key())[..50]).await.expect("written");
    drop(balancer);
    let error = receive(&mut head, &key(), LIMIT).await.expect_err("short");
    assert!(matches!(error, ReceiveError::Io(_)), "{error}");
}

fn address() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| (Ipv4Addr::from(ip), port).into()),
        (any::<[u8; 16]>(), any::<u16>())
            .prop_map(|(ip, port)| { super::canonical((Ipv6Addr::from(ip), port).into()) }),
    ]
}

fn any_header() -> impl Strategy<Value = Header> {
    (address(), address(), any::<[u8; 12]>()).prop_map(|(source, destination, id)| Header {
        source,
        destination,
        id: ConnectionId::from_bytes(id),
    })
}

fn signed() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![any_header().prop_map(|header| encode(&header, &key())), Just(encode_local(&key()))]
}

proptest! {
    #[test]
    fn what_is_written_is_read(header in any_header()) {
        let bytes = encode(&header, &key());
        let consumed = bytes.len();
        prop_assert_eq!(parse(&bytes, &key()), Ok(Parsed::Complete { header, consumed }));
    }

    #[test]
    fn every_true_beginning_is_partial(bytes in signed(), cut in any::<proptest::sample::Index>()) {
        let beginning = &bytes[..cut.index(bytes.len())];
        prop_assert_eq!(parse(beginning, &key()), Ok(Parsed::Partial));
    }

    #[test]
    fn a_changed_byte_never_verifies(
        bytes in signed(), at in any::<proptest::sample::Index>(), change in 1..=255_u8,
    ) {
        let mut changed = bytes;
        let at = at.index(changed.len());
        changed[at] ^= change;
        let outcome = parse(&changed, &key());
        // A changed prefix may promise the longer form, which is not all there yet.
        prop_assert!(matches!(outcome, Err(_) | Ok(Parsed::Partial)), "{:?}", outcome);
        changed.resize(HEADER_BYTES_MAX, 0);
        prop_assert!(parse(&changed, &key()).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _outcome = parse(&bytes, &key());
        let signature = [&super::SIGNATURE[..], &bytes[..]].concat();
        let read = matches!(parse(&signature, &key()), Ok(Parsed::Complete { .. } | Parsed::Local { .. }));
        prop_assert!(!read);
    }
}
