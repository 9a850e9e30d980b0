//! One request on a connection: routed, stamped, recorded.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{HeaderMap, HeaderValue, USER_AGENT};
use axum::http::{Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper_util::service::TowerToHyperService;
use repono_core::id::{ConnectionId, TransId};
use repono_core::request::Method;
use repono_core::time::Timestamp;
use repono_core::trace::TraceContext;
use repono_journal::{Outcome, RequestRecord, Reuse, SharedRecorder, Side, Stamp, Text, Tls, UrlPath};
use tokio::time::Instant;

use super::clock::{Acquaintance, Begun, Clock};
use crate::door::{Caller, TICKETS};
use crate::limits::KEEP_ALIVE_ADVERTISED;
use crate::reply::Code;

/// What every request of a connection shares.
pub(super) struct Exchange {
    pub(super) id: ConnectionId,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) tls: Tls,
    pub(super) routes: Router,
    pub(super) recorder: SharedRecorder,
}

/// The routes, as one connection calls them.
pub(super) struct Service {
    exchange: Arc<Exchange>,
    clock: Clock,
}

impl Service {
    pub(super) fn new(exchange: Exchange, clock: Clock) -> Self {
        Self { exchange: Arc::new(exchange), clock }
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let before = self.clock.request_begins(Instant::now());
        let (exchange, clock) = (Arc::clone(&self.exchange), self.clock.clone());
        Box::pin(async move {
            let (response, acquaintance) = exchange.answer(request, before).await;
            clock.request_ends(Instant::now(), acquaintance);
            Ok(response)
        })
    }
}

impl Exchange {
    async fn answer(&self, mut request: Request<Incoming>, before: Begun) -> (Response<Body>, Acquaintance) {
        let mut record = self.begun(&request, before);
        let vending = request.uri().path() == TICKETS;
        request.extensions_mut().insert(Caller { source: self.source });
        let routes = TowerToHyperService::new(self.routes.clone());
        let mut response = match hyper::service::Service::call(&routes, request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let trans_id = TransId::new(Timestamp::now(), &mut rand::rng());
        self.stamp(response.headers_mut(), trans_id);
        record.trans_id = Some(trans_id);
        self.ended(record, &response);
        let vended = vending && response.status() == StatusCode::OK;
        (response, if vended { Acquaintance::Known } else { Acquaintance::Stranger })
    }

    fn begun(&self, request: &Request<Incoming>, before: Begun) -> RequestRecord {
        let mut record =
            RequestRecord::new(Side::Vending, self.id, Stamp::now(), self.source, self.destination);
        record.method = Method::parse(request.method().as_str().as_bytes());
        record.path = UrlPath::of_target(request.uri().path().as_bytes());
        record.tls = Some(self.tls);
        record.bytes_in = request.body().size_hint().exact().unwrap_or_default();
        let asker = request.headers().get_all("traceparent").iter().map(HeaderValue::as_bytes);
        record.trace = TraceContext::of_values(asker).map(|asker| asker.request(&mut rand::rng()));
        if let Some(agent) = request.headers().get(USER_AGENT) {
            record.user_agent = Text::new(agent.as_bytes());
        }
        if before.requests > 0 {
            record.reuse = Reuse::Reused {
                idle_before_ns: u64::try_from(before.idle.as_nanos()).unwrap_or(u64::MAX),
                requests_before: u32::try_from(before.requests).unwrap_or(u32::MAX),
            };
        }
        record
    }

    fn ended(&self, mut record: RequestRecord, response: &Response<Body>) {
        record.ended_mono_ns = Stamp::mono_now();
        record.status = Some(response.status().as_u16());
        record.bytes_out = response.body().size_hint().exact().unwrap_or_default();
        if let Some(Code(code)) = response.extensions().get::<Code>() {
            record.outcome = Outcome::Refused(code);
        }
        self.recorder.request(&record);
    }

    fn stamp(&self, headers: &mut HeaderMap, trans_id: TransId) {
        if let Ok(id) = HeaderValue::from_str(trans_id.as_str()) {
            headers.insert("x-openstack-request-id", id.clone());
            headers.insert("x-trans-id", id);
        }
        if let Ok(id) = HeaderValue::from_bytes(&self.id.hex()) {
            headers.insert("x-repono-connection", id);
        }
        headers.insert("keep-alive", HeaderValue::from_static(KEEP_ALIVE_ADVERTISED));
    }
}
