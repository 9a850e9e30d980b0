use rand::{SeedableRng, rngs::StdRng};
use repono_store::model::identity::SecretHash;
use zeroize::Zeroizing;

use super::{ChoiceError, Comparison, Form, Kept, NOTHING, Secret, SecretError, Verifier};
use crate::limits::{ARGON2_QUEUE_MAX, SECRET_BYTES_MAX};

fn secret(text: &str) -> Secret {
    Secret(Zeroizing::new(text.to_owned()))
}

fn verifier() -> Verifier {
    Verifier::new(1, &mut StdRng::seed_from_u64(1)).expect("argon2id")
}

async fn matches(verifier: &Verifier, presented: &Secret, kept: &Kept) -> bool {
    let comparisons = [Comparison { presented, kept }];
    let turn = verifier.turn(&comparisons).await.expect("a turn");
    verifier.all_match(&comparisons, turn).await.expect("compared")
}

#[tokio::test]
async fn a_generated_secret_matches_its_digest_alone() {
    let mut random = StdRng::seed_from_u64(7);
    let (one, other) = (Secret::generate(&mut random), Secret::generate(&mut random));
    assert_eq!(one.form(), Form::Generated);
    assert!(one.expose().starts_with("rsec_"));
    assert!(one.digest().expose().starts_with("sha256$"));
    let verifier = verifier();
    let kept = Kept::parse(&one.digest());
    assert!(matches(&verifier, &one, &kept).await);
    assert!(!matches(&verifier, &other, &kept).await);
    assert!(!matches(&verifier, &one, &Kept::Nothing).await);
}

#[tokio::test]
async fn a_chosen_secret_matches_its_phc_string_alone() {
    let verifier = verifier();
    let hash = verifier.hash_chosen(secret("correct horse battery"), [7; 16]).await.expect("hashed");
    assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose());
    let kept = Kept::parse(&hash);
    assert!(matches(&verifier, &secret("correct horse battery"), &kept).await);
    assert!(!matches(&verifier, &secret("correct horse batterz"), &kept).await);
    assert!(!matches(&verifier, &secret("correct horse battery"), &Kept::Nothing).await);
    // The same text as a digest is kept for a generated secret: it never fits.
    let digest = Kept::parse(&secret("correct horse battery").digest());
    assert!(!matches(&verifier, &secret("correct horse battery"), &digest).await);
}

#[tokio::test]
async fn only_chosen_secrets_wait_for_a_turn_and_not_too_many_of_them() {
    let verifier = verifier();
    let generated = Secret::generate(&mut StdRng::seed_from_u64(7));
    let chosen = secret("correct horse battery");
    let of = |presented| [Comparison { presented, kept: &NOTHING }];
    assert!(verifier.turn(&of(&generated)).await.expect("none is needed").is_none());
    let turn = verifier.turn(&of(&chosen)).await.expect("a turn");
    assert!(turn.is_some());
    let _queue =
        verifier.queue.try_acquire_many(u32::try_from(ARGON2_QUEUE_MAX).expect("small")).expect("free");
    assert_eq!(verifier.turn(&of(&chosen)).await.err(), Some(SecretError::Crowded));
    assert!(matches(&verifier, &generated, &Kept::parse(&generated.digest())).await);
}

#[test]
fn choices_are_checked() {
    for (text, expected) in [
        ("short", Err(ChoiceError::Length)),
        (&*"x".repeat(SECRET_BYTES_MAX + 1), Err(ChoiceError::Length)),
        ("rsec_but not one of ours", Err(ChoiceError::Prefix)),
        ("a tab\tin between", Err(ChoiceError::Character)),
        ("correct horse battery", Ok(())),
    ] {
        assert_eq!(secret(text).check_choice(), expected, "{text}");
    }
}

#[test]
fn what_is_not_a_hash_matches_nothing() {
    for text in ["", "sha256$", "sha256$00", "md5$00", "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ", "plain"] {
        assert!(matches!(Kept::parse(&SecretHash::new(text.to_owned())), Kept::Nothing), "{text}");
    }
}

#[test]
fn the_form_needs_canonical_digits() {
    assert_eq!(secret("rsec_").form(), Form::Chosen);
    assert_eq!(secret(&format!("rsec_{}", "A".repeat(43))).form(), Form::Generated);
    assert_eq!(secret(&format!("rsec_{}B", "A".repeat(42))).form(), Form::Chosen, "trailing bits");
    assert_eq!(secret(&format!("rsec_{}", "A".repeat(44))).form(), Form::Chosen);
}
