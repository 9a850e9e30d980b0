//! Condition keys: the closed list of facts that a condition can ask about.

use crate::error::Fault;

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    SourceIp,
    CurrentTime,
    EpochTime,
    SecureTransport,
    UserAgent,
    Referer,
    /// The host in the referrer, in lower case; `unknown` without one.
    RefererHost,
    UserName,
    UserId,
    PrincipalArn,
    /// The actor's own account, not the resource's.
    Account,
    Application,
    Prefix,
    Delimiter,
    MaxKeys,
}

/// What the values of a key are, and so which operators can test it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Arn,
    Number,
    Date,
    /// Seconds: a number and a date.
    Epoch,
    Flag,
    Address,
}

impl Key {
    pub(crate) const ALL: [Self; 15] = [
        Self::SourceIp,
        Self::CurrentTime,
        Self::EpochTime,
        Self::SecureTransport,
        Self::UserAgent,
        Self::Referer,
        Self::RefererHost,
        Self::UserName,
        Self::UserId,
        Self::PrincipalArn,
        Self::Account,
        Self::Application,
        Self::Prefix,
        Self::Delimiter,
        Self::MaxKeys,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SourceIp => "aws:SourceIp",
            Self::CurrentTime => "aws:CurrentTime",
            Self::EpochTime => "aws:EpochTime",
            Self::SecureTransport => "aws:SecureTransport",
            Self::UserAgent => "aws:UserAgent",
            Self::Referer => "aws:Referer",
            Self::RefererHost => "repono:RefererHost",
            Self::UserName => "aws:username",
            Self::UserId => "aws:userid",
            Self::PrincipalArn => "aws:PrincipalArn",
            Self::Account => "repono:Account",
            Self::Application => "repono:Application",
            Self::Prefix => "s3:prefix",
            Self::Delimiter => "s3:delimiter",
            Self::MaxKeys => "s3:max-keys",
        }
    }

    /// As on AWS the case of letters does not matter.
    pub(crate) fn parse(name: &str) -> Result<Self, Fault> {
        let known = Self::ALL.into_iter().find(|key| key.as_str().eq_ignore_ascii_case(name));
        known.ok_or_else(|| Fault::UnknownKey { name: name.to_owned() })
    }

    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::SourceIp => Kind::Address,
            Self::CurrentTime => Kind::Date,
            Self::EpochTime => Kind::Epoch,
            Self::SecureTransport => Kind::Flag,
            Self::PrincipalArn => Kind::Arn,
            Self::MaxKeys => Kind::Number,
            Self::UserAgent
            | Self::Referer
            | Self::RefererHost
            | Self::UserName
            | Self::UserId
            | Self::Account
            | Self::Application
            | Self::Prefix
            | Self::Delimiter => Kind::Text,
        }
    }
}

impl Kind {
    /// The operators that fit, for the author of a policy.
    pub(crate) const fn operators(self) -> &'static str {
        match self {
            Self::Text => "a String operator or Null",
            Self::Arn => "an Arn or String operator or Null",
            Self::Number => "a Numeric operator or Null",
            Self::Date => "a Date operator or Null",
            Self::Epoch => "a Date or Numeric operator or Null",
            Self::Flag => "Bool or Null",
            Self::Address => "IpAddress, NotIpAddress or Null",
        }
    }
}
