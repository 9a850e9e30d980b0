//! How long each party keeps idle connections, and where two limits are the wrong way
//! round.

use serde_json::{Value, json};

use crate::board::IdleCloses;
use crate::heads::IdleLimits;

/// The idle limits that are known, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    /// As clients' own records show it.
    client: Option<u64>,
    /// Configured.
    balancer: u64,
    /// As the heads' own records show it; of use where they do not say it.
    head_seen: Option<u64>,
    /// As heads say it. They may differ while they are changed one after the other.
    head: Option<Span>,
    advertised: Option<Span>,
    raced: u64,
}

/// The least and the most of some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    least: u64,
    most: u64,
}

impl Span {
    fn of(all: impl Iterator<Item = u64>) -> Option<Self> {
        all.fold(None, |span, one| {
            let Self { least, most } = span.unwrap_or(Self::one(one));
            Some(Self { least: least.min(one), most: most.max(one) })
        })
    }

    const fn one(one: u64) -> Self {
        Self { least: one, most: one }
    }

    fn told(self) -> impl Iterator<Item = u64> {
        std::iter::once(self.least).chain((self.most != self.least).then_some(self.most))
    }
}

impl Limits {
    /// The balancer's own, in milliseconds.
    pub(super) fn of_balancer(balancer: u64) -> Self {
        Self { balancer, ..Self::default() }
    }

    /// What the journals show.
    pub(super) fn see(&mut self, closes: &IdleCloses) {
        let ms = |ns: u64| ns / 1_000_000;
        self.client = closes.client().limit_ns().map(ms);
        self.head_seen = closes.head().limit_ns().map(ms);
        self.raced = closes.head().raced();
    }

    /// What the heads say.
    pub(super) fn hear(&mut self, heads: impl Iterator<Item = IdleLimits> + Clone) {
        let ms = |s: u64| s.saturating_mul(1_000);
        self.head = Span::of(heads.clone().filter_map(|limits| limits.idle_close_s).map(ms));
        self.advertised = Span::of(heads.filter_map(|limits| limits.idle_advertised_s).map(ms));
    }

    /// After how long a head closes at the soonest.
    pub(super) fn head_closes(self) -> Option<u64> {
        self.head.map(|span| span.least).or(self.head_seen)
    }

    pub(super) const fn client(self) -> Option<u64> {
        self.client
    }

    pub(super) fn told(self) -> Vec<Value> {
        let limit = |party, what, ms| json!({"party": party, "what": what, "s": seconds(ms)});
        let all = |span: Option<Span>| span.into_iter().flat_map(Span::told);
        let seen = self.head_seen.filter(|_| self.head.is_none());
        std::iter::once(limit("balancer", "idle", self.balancer))
            .chain(all(self.head).map(|ms| limit("head", "idle", ms)))
            .chain(seen.map(|ms| limit("head", "seen", ms)))
            .chain(all(self.advertised).map(|ms| limit("head", "advertised", ms)))
            .chain(self.client.map(|ms| limit("client", "seen", ms)))
            .collect()
    }

    /// Where a party nearer to the head closes sooner than one nearer to the client
    /// expects. A head before the balancer is as it should be: it knows of requests.
    pub(super) fn inversions(self) -> Vec<String> {
        let head = self.head.or(self.head_seen.map(Span::one));
        let mut told = Vec::new();
        let nearer =
            [("The balancer closes", Some(self.balancer)), ("Heads close", head.map(|head| head.least))];
        for (closes, limit) in nearer {
            if let (Some(limit), Some(client)) = (limit, self.client)
                && limit < client
            {
                told.push(format!(
                    "{closes} idle connections after {} s, but clients keep them for {} s: a request that \
                     comes in between may meet the close.",
                    seconds(limit),
                    seconds(client)
                ));
            }
        }
        if let Some(head) = head.filter(|head| self.balancer <= head.most) {
            told.push(format!(
                "The balancer closes idle connections after {} s, before the heads do after {} s, and it \
                 cannot know whether a request is under way.",
                seconds(self.balancer),
                seconds(head.most)
            ));
        }
        if let Some(advertised) = self.advertised.filter(|advertised| self.balancer <= advertised.most) {
            told.push(format!(
                "Heads tell clients that they may keep idle connections for {} s, but the balancer closes \
                 them after {} s.",
                seconds(advertised.most),
                seconds(self.balancer)
            ));
        }
        if self.raced > 0 {
            told.push(format!(
                "Requests came on {} connections that a head had just closed for being idle: some client \
                 keeps them longer than the heads do.",
                self.raced
            ));
        }
        told
    }
}

#[expect(clippy::cast_precision_loss, reason = "an idle limit is far below 2^52 ms")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{IdleLimits, Limits, Span};

    #[test]
    fn an_inversion_is_a_close_that_the_client_does_not_expect() {
        let limits = |client, balancer, head_seen| {
            Limits { client, balancer, head_seen, ..Limits::default() }.inversions()
        };
        assert!(limits(Some(55_000), 900_000, Some(650_000)).is_empty(), "as it should be");
        assert!(limits(None, 900_000, None).is_empty(), "nothing is known of the others");
        let kept = limits(Some(700_500), 900_000, Some(650_000));
        assert_eq!(
            kept,
            [
                "Heads close idle connections after 650 s, but clients keep them for 700.5 s: a request that comes \
              in between may meet the close."
            ]
        );
        let blind = limits(None, 300_000, Some(650_000));
        assert!(blind.len() == 1 && blind[0].starts_with("The balancer closes idle connections after 300 s"));
        assert_eq!(limits(Some(400_000), 300_000, Some(350_000)).len(), 3);
        let raced = Limits { balancer: 900_000, raced: 2, ..Limits::default() }.inversions();
        assert!(raced.len() == 1 && raced[0].contains("2 connections"), "{raced:?}");
    }

    #[test]
    fn what_heads_say_counts_before_what_was_seen_of_them() {
        let says = |idle_close_s, idle_advertised_s| IdleLimits { idle_close_s, idle_advertised_s };
        // What was seen are strangers, who are closed sooner.
        let mut limits = Limits { head_seen: Some(15_000), ..Limits::of_balancer(900_000) };
        limits.hear([says(Some(650), Some(55)), says(None, None)].into_iter());
        let expected = [
            json!({"party": "balancer", "what": "idle", "s": 900.0}),
            json!({"party": "head", "what": "idle", "s": 650.0}),
            json!({"party": "head", "what": "advertised", "s": 55.0}),
        ];
        assert_eq!(limits.told(), expected);
        assert!(limits.inversions().is_empty());
        limits
            .hear([says(Some(650), Some(55)), says(Some(70), Some(55)), says(Some(1_000), None)].into_iter());
        assert_eq!(limits.head, Some(Span { least: 70_000, most: 1_000_000 }));
        assert_eq!(limits.told().len(), 4, "the least and the most");
        limits.client = Some(100_000);
        let told = limits.inversions();
        assert!(told.len() == 2 && told[0].contains("Heads close idle connections after 70 s"), "{told:?}");
        assert!(told[1].contains("before the heads do after 1000 s"));
        let mut early = Limits::of_balancer(5_000);
        early.hear(std::iter::once(says(Some(4), Some(55))));
        let told = early.inversions();
        assert_eq!(
            told,
            [
                "Heads tell clients that they may keep idle connections for 55 s, but the balancer closes them after 5 s."
            ]
        );
        early.hear(std::iter::empty());
        assert_eq!(early.told().len(), 1, "of an earlier version");
    }
}
