//! Asks the monitor, once a second.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use repono_client::{Client, ClientError};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::facts::Facts;

/// How often.
const EVERY: Duration = Duration::from_secs(1);
/// All answers together: a monitor that takes longer is one that does not answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// After a refusal: whoever asks every second with a wrong secret is soon not heard at all
/// by vending, which allows a user ten failures, then one in 6 s.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);
/// Seconds of response times that are shown.
const SERIES_S: u64 = 180;
/// Answered where the monitor follows no journals, or is of an earlier version.
const NOT_FOUND: u16 = 404;

/// What came of one round of questions.
#[derive(Clone, Debug)]
pub(super) enum Told {
    Facts(Box<Facts>),
    /// Why there is no answer.
    Nothing(String),
    /// Why this user gets none.
    Refused(String),
}

/// Asks until nobody listens.
pub(super) async fn again_and_again(client: &Client, told: watch::Sender<Option<Told>>) {
    let mut turns = interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !told.is_closed() {
        turns.tick().await;
        let now = once(client).await;
        let refused = matches!(now, Told::Refused(_));
        told.send_replace(Some(now));
        if refused {
            sleep(REFUSED_PAUSE).await;
        }
    }
}

/// Asks for everything that is shown.
pub(super) async fn once(client: &Client) -> Told {
    match timeout(ANSWER_MAX, all(client)).await {
        Ok(Ok(facts)) => Told::Facts(Box::new(facts)),
        Ok(Err(error)) => {
            let refused = matches!(error, ClientError::Unauthorized(_) | ClientError::Forbidden(_));
            let why = format!("{:#}", anyhow::Error::from(error));
            if refused { Told::Refused(why) } else { Told::Nothing(why) }
        }
        Err(_) => Told::Nothing(format!("no answer within {} s", ANSWER_MAX.as_secs())),
    }
}

async fn all(client: &Client) -> Result<Facts, ClientError> {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let series = |side| {
        let from = now_s.saturating_sub(SERIES_S);
        format!("/api/v1/series?step=second&side={side}&from={from}&to={now_s}")
    };
    let (of_head, of_client) = (series("head"), series("client"));
    // The first asks alone: it may have to vend a ticket for all.
    let heads = match ask(client, "/api/v1/heads").await {
        // The balancer has not answered yet.
        Err(ClientError::Unavailable(_)) => Value::Null,
        asked => asked?,
    };
    let (head, clients, slowest, closes, changes, findings) = tokio::try_join!(
        ask(client, &of_head),
        ask(client, &of_client),
        ask(client, "/api/v1/slowest"),
        ask(client, "/api/v1/closes"),
        ask(client, "/api/v1/changes"),
        ask(client, "/api/v1/findings"),
    )?;
    Ok(Facts { heads, head, client: clients, slowest, closes, changes, findings })
}

/// What the monitor has not is null.
async fn ask(client: &Client, target: &str) -> Result<Value, ClientError> {
    match client.monitor(target).await {
        Ok(Some(body)) => {
            serde_json::from_slice(&body).map_err(|_| ClientError::Protocol("an answer that is no JSON"))
        }
        Ok(None) => Ok(Value::Null),
        Err(ClientError::NotFound(answer)) if answer.status == NOT_FOUND => Ok(Value::Null),
        Err(error) => Err(error),
    }
}
