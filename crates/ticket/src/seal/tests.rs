use data_encoding::HEXLOWER;

use super::{MasterKey, Purpose, SealError};

const TEXT: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn master() -> MasterKey {
    MasterKey::from_hex(TEXT).expect("key")
}

#[test]
fn the_text_of_a_key_is_64_hex_digits() {
    for good in [TEXT.to_owned(), format!("{TEXT}\n"), format!("{TEXT}\r\n"), TEXT.to_uppercase()] {
        assert!(MasterKey::from_hex(&good).is_ok(), "{good:?}");
    }
    for bad in
        ["", &TEXT[2..], &format!("{TEXT}00"), &format!(" {TEXT}"), &format!("{TEXT}\n\n"), &"z".repeat(64)]
    {
        assert!(matches!(MasterKey::from_hex(bad), Err(SealError::KeyText)), "{bad:?}");
    }
    for weak in ["00", "ff"] {
        assert!(matches!(MasterKey::from_hex(&weak.repeat(32)), Err(SealError::WeakKey)));
    }
    let generated = MasterKey::generate_hex().expect("random");
    assert!(MasterKey::from_hex(&generated).is_ok());
    assert_ne!(*generated, *MasterKey::generate_hex().expect("random"));
}

/// Made by an independent implementation of RFC 5869 (Python's `hmac` module).
#[test]
fn derived_keys_are_those_of_rfc_5869() {
    let expected = [
        (Purpose::Seal, "2ca6601f83566014559677a78e1633dee2427f785b7403b710c82572642c6fcf"),
        (Purpose::Preauth, "c2609a27568103cbd590a82b6b71c98a000938d1b4cb913c2bcf75ef433862e5"),
        (Purpose::TlsTicket, "16223482f8f850550afa43a9a24e7566e6db650cdafb35e695095ea98b0384bf"),
        (Purpose::Proxy, "8f8293f026b4594d38b4da9ea5e9101f0beb43a963ce2a4093a9ecf2f6e8a56e"),
        (Purpose::Session, "c5778ffcf73ef663090c665a8e614dd791d7a1c2959ad2f0597f48233f2a9876"),
    ];
    for (purpose, key) in expected {
        let derived = master().derive(purpose).expect("derived");
        assert_eq!(HEXLOWER.encode(&*derived), key, "{purpose:?}");
    }
}

#[test]
fn a_sealed_value_opens_in_its_place_only() {
    let sealed = master().seal("preauth", "01", b"secret").expect("sealed");
    assert_eq!(sealed.len(), 1 + 12 + 6 + 16);
    assert_eq!(master().open("preauth", "01", &sealed).expect("opened").as_slice(), b"secret");
    assert_ne!(sealed, master().seal("preauth", "01", b"secret").expect("sealed"));
    for (role, id) in [("preauth", "02"), ("ticket", "01"), ("preaut", "h01"), ("", "")] {
        assert_eq!(master().open(role, id, &sealed).map(|_| ()), Err(SealError::Opening));
    }
    let other = MasterKey::from_bytes([1; 32].map(|b| b)).map(|_| ());
    assert_eq!(other, Err(SealError::WeakKey));
    let mut bytes = [1; 32];
    bytes[0] = 2;
    let other = MasterKey::from_bytes(bytes).expect("key");
    assert_eq!(other.open("preauth", "01", &sealed).map(|_| ()), Err(SealError::Opening));
}

#[test]
fn no_byte_of_a_sealed_value_can_be_changed_or_cut() {
    let sealed = master().seal("ticket", "0a1b2c3d", b"secret").expect("sealed");
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(master().open("ticket", "0a1b2c3d", &changed).map(|_| ()), Err(SealError::Opening));
        let cut = &sealed[..at];
        assert_eq!(master().open("ticket", "0a1b2c3d", cut).map(|_| ()), Err(SealError::Opening));
    }
}
