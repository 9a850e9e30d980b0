//! The lines of a certificate, as `X509Certificate2.ToString(true)` writes it: sections
//! in brackets, each with lines of its own.
//!
//! *Source*: `X509Certificate2.cs` of the published reference source of .NET Framework
//! 4.8. Names of sections and of values are in its code and never localised; how an
//! extension reads is the system's own, so that only its form is relied on.

/// Which section of a certificate a line stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Version,
    /// Subject and issuer.
    Name,
    /// Serial number and thumbprint.
    Number,
    /// The first and the last day.
    Date,
    SignatureAlgorithm,
    PublicKey,
    PrivateKey,
    Extensions,
}

const SECTIONS: [(&str, Section); 11] = [
    ("[Version]", Section::Version),
    ("[Subject]", Section::Name),
    ("[Issuer]", Section::Name),
    ("[Serial Number]", Section::Number),
    ("[Not Before]", Section::Date),
    ("[Not After]", Section::Date),
    ("[Thumbprint]", Section::Number),
    ("[Signature Algorithm]", Section::SignatureAlgorithm),
    ("[Public Key]", Section::PublicKey),
    ("[Private Key]", Section::PrivateKey),
    ("[Extensions]", Section::Extensions),
];

/// What stands below a name.
const NAMES: [&str; 4] = ["Simple Name:", "Email Name:", "UPN Name:", "DNS Name:"];

/// What a public key consists of.
const PUBLIC: [&str; 4] = ["Algorithm:", "Length:", "Key Blob:", "Parameters:"];

/// What is told of where a private key lies.
const PRIVATE: [&str; 9] = [
    "Key Store:",
    "Provider Name:",
    "Provider type:",
    "Key Spec:",
    "Key Container Name:",
    "Unique Key Container Name:",
    "Hardware Device:",
    "Removable:",
    "Protected:",
];

/// What a line of a certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// `[Subject]`
    Heading,
    /// `V3`
    Version,
    /// `CN=files.example, O=Example`, `DNS Name: files.example`
    Name,
    /// Digits of sixteen.
    Number,
    /// In the machine's own form.
    Date,
    /// `sha256RSA(1.2.840.113549.1.1.11)`
    Algorithm,
    /// `Length: 2048`
    Key,
    /// `* Key Usage(2.5.29.15):`
    Extension,
    /// What an extension says: `name=value`, `name:`, `name (number)`, `[1]name`, a word.
    Value,
    /// Rows of octets.
    Octets,
    /// What whoever handed the log on has put in place of something.
    Withheld,
    /// The full stop of the sentence that the certificate is the end of.
    End,
}

impl Section {
    /// The section that a heading begins.
    pub(super) fn of(heading: &str) -> Option<Self> {
        SECTIONS.iter().find(|(known, _)| *known == heading).map(|(_, section)| *section)
    }

    /// What a line is, without blanks at its ends, and the section after it; `None` for
    /// one that is none of a certificate.
    pub(super) fn next(self, text: &str) -> Option<(Part, Self)> {
        if let Some(section) = Self::of(text) {
            return Some((Part::Heading, section));
        }
        if text == "." {
            return Some((Part::End, self));
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        let part = match self {
            _ if is_withheld(text) => Part::Withheld,
            Self::Version if is_version(text) => Part::Version,
            Self::Name if begins(text, &NAMES) || text.contains('=') => Part::Name,
            Self::Number if is_octets(text) => Part::Number,
            Self::Date if text.contains(|c: char| c.is_ascii_digit()) => Part::Date,
            Self::SignatureAlgorithm if text.contains('(') && text.ends_with(')') => Part::Algorithm,
            Self::PublicKey if begins(text, &PUBLIC) => Part::Key,
            Self::PrivateKey if begins(text, &PRIVATE) => Part::Key,
            Self::Extensions if text.starts_with("* ") && text.ends_with("):") => Part::Extension,
            Self::PublicKey | Self::Extensions if is_octets(text) => Part::Octets,
            Self::Extensions if is_value(text) => Part::Value,
            Self::Version
            | Self::Name
            | Self::Number
            | Self::Date
            | Self::SignatureAlgorithm
            | Self::PublicKey
            | Self::PrivateKey
            | Self::Extensions => return None,
        };
        Some((part, self))
    }
}

fn begins(text: &str, labels: &[&str]) -> bool {
    labels.iter().any(|label| text.starts_with(label))
}

fn is_withheld(text: &str) -> bool {
    let word = text.trim_matches(['[', ']', '<', '>']);
    word.eq_ignore_ascii_case("redacted")
        || (word.len() > 2 && word.bytes().all(|b| matches!(b, b'X' | b'*')))
}

fn is_version(text: &str) -> bool {
    text.strip_prefix('V').is_some_and(|digits| digits.parse::<u8>().is_ok())
}

fn is_octets(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b' ')
}

fn is_value(text: &str) -> bool {
    let is_numbered =
        text.strip_prefix('[').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let is_word = text.chars().all(char::is_alphanumeric);
    text.contains('=') || text.ends_with([':', ')']) || is_numbered || is_word
}

#[cfg(test)]
mod tests {
    use super::{Part, Section};

    const WHOLE: [(&str, Part); 34] = [
        ("V3", Part::Version),
        ("[Subject]", Part::Heading),
        ("CN=files.example, O=Example", Part::Name),
        ("Simple Name: files.example", Part::Name),
        ("DNS Name: files.example", Part::Name),
        ("[Issuer]", Part::Heading),
        ("CN=An Authority", Part::Name),
        ("[Serial Number]", Part::Heading),
        ("00D0F1", Part::Number),
        ("[Not Before]", Part::Heading),
        ("02.03.2026 10:00:00", Part::Date),
        ("[Not After]", Part::Heading),
        ("3/2/2027 10:00:00 AM", Part::Date),
        ("[Thumbprint]", Part::Heading),
        ("7C2D0635209FD29EBE35", Part::Number),
        ("[Signature Algorithm]", Part::Heading),
        ("sha256RSA(1.2.840.113549.1.1.11)", Part::Algorithm),
        ("[Public Key]", Part::Heading),
        ("Algorithm: RSA", Part::Key),
        ("Length: 2048", Part::Key),
        ("Key Blob: 30 82 01 0a 02", Part::Key),
        ("82 01 01 00 ce", Part::Octets),
        ("Parameters: 05 00", Part::Key),
        ("[Private Key]", Part::Heading),
        ("Unique Key Container Name: 4f", Part::Key),
        ("[Extensions]", Part::Heading),
        ("* Schlüsselverwendung(2.5.29.15):", Part::Extension),
        ("Digitale Signatur (a0)", Part::Value),
        ("* CRL Distribution Points(2.5.29.31):", Part::Extension),
        ("[1]CRL Distribution Point", Part::Value),
        ("Distribution Point Name:", Part::Value),
        ("URL=http://crl.example/a.crl", Part::Value),
        ("04 16 04 14", Part::Octets),
        (".", Part::End),
    ];

    #[test]
    fn each_line_of_a_certificate_has_a_name() {
        let mut section = Section::of("[Version]").unwrap();
        for (line, expected) in WHOLE {
            let (part, next) = section.next(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(part, expected, "{line}");
            section = next;
        }
    }

    #[test]
    fn what_is_withheld_may_stand_anywhere_and_other_lines_nowhere() {
        for (heading, _) in super::SECTIONS {
            let section = Section::of(heading).unwrap();
            assert_eq!(section.next("REDACTED"), Some((Part::Withheld, section)));
            for foreign in ["[nginx] upstream is fine", "a line of another program", "connected!"] {
                assert_eq!(section.next(foreign), None, "{heading}: {foreign}");
            }
        }
    }
}
