//! Writing a reply: the head and a small body in one piece.

use bytes::BytesMut;
use repono_core::refusal::{After, Refusal};
use repono_core::request::Method;
use repono_journal::{RequestRecord, Reuse, Stamp};
use repono_wire::error_body;
use repono_wire::native;
use repono_wire::reply::{self, Common, FieldSink};

use super::{Detail, Exchange, Stop};
use crate::carrier::Fields;

/// Asks for `Server-Timing` in the reply, with any value.
const TIMING_ASKED: &str = "x-server-timing";

impl Exchange<'_> {
    /// Writes the head of a reply into `out`.
    pub(super) fn write_head(
        &mut self,
        out: &mut BytesMut,
        status: u16,
        fields: impl FnOnce(&mut Fields<'_>, &Common<'_>),
    ) {
        self.record.status = Some(status);
        if self.shard.is_leaving() {
            // Also where the drain began while the request was under way.
            self.after = After::Close;
        }
        let mut text = self.shard.take_text();
        let shard = self.shard;
        // A head that was refused is not read for more.
        let extra = self.record.method.map_or(&[][..], |_| reply::trans_id_extra(self.head));
        shard.with_date(self.now, |date| {
            let common = Common { trans_id: &self.trans_id, extra, connection: &self.connection, date };
            self.carrier.begin(out, &mut text, status, self.after, |sink| {
                fields(sink, &common);
                if let Some(grant) = &self.grant {
                    grant.fields(sink);
                }
                if self.authenticated && self.head.field(TIMING_ASKED).is_some() {
                    sink.field("Server-Timing", timing(&self.record).as_bytes());
                }
            });
        });
        self.shard.give_back_text(text);
    }

    /// Sends what stands in `out` and gives the buffer back.
    pub(super) async fn send(&mut self, out: BytesMut) -> Result<(), Stop> {
        let began = Stamp::mono_now();
        let sent = self.carrier.send(&out).await;
        self.record.phases_ns.receive += Stamp::mono_now().saturating_sub(began);
        self.shard.give_back(out);
        Ok(sent?)
    }

    /// Sends a reply without a body.
    pub(super) async fn send_fields(
        &mut self,
        status: u16,
        fields: impl FnOnce(&mut Fields<'_>, &Common<'_>),
    ) -> Result<(), Stop> {
        self.settle_body().await;
        let mut out = self.shard.take_buffer();
        self.write_head(&mut out, status, fields);
        self.send(out).await
    }

    /// Sends a reply whose body is at hand; a HEAD leaves the body out.
    pub(super) async fn send_document(
        &mut self,
        status: u16,
        body: &[u8],
        fields: impl FnOnce(&mut Fields<'_>, &Common<'_>),
    ) -> Result<(), Stop> {
        self.settle_body().await;
        let mut out = self.shard.take_buffer();
        self.write_head(&mut out, status, fields);
        if self.head.method() != Method::Head {
            out.extend_from_slice(body);
            self.record.bytes_out = body.len() as u64;
        }
        self.send(out).await
    }

    pub(super) async fn send_refusal(&mut self, refusal: &Refusal, detail: &Detail) -> Result<(), Stop> {
        let mut document = Vec::new();
        error_body::xml(refusal, &self.trans_id, &mut document);
        let account = match self.record.method {
            Some(_) if refusal.status == 401 => native::account(self.head),
            // A head that was refused is not read for more.
            Some(_) | None => None,
        };
        self.send_document(refusal.status, &document, |sink, common| {
            reply::refusal(sink, common, refusal, document.len() as u64, account.as_ref());
            match detail {
                Detail::Nothing if refusal.status == 405 => reply::allow(sink, &Method::ALL),
                Detail::Nothing => {}
                Detail::Allow(methods) => reply::allow(sink, methods),
                Detail::Size(bytes) => reply::range_not_satisfiable(sink, *bytes),
            }
        })
        .await
    }
}

/// Where the time went until the reply began, in milliseconds.
///
/// *Source*: W3C "Server Timing", section 3.
fn timing(record: &RequestRecord) -> String {
    let ms = |ns: u64| ns as f64 / 1e6;
    let (phases, total) = (&record.phases_ns, Stamp::mono_now().saturating_sub(record.started.mono_ns));
    let connection = match record.reuse {
        Reuse::New => String::from("new"),
        Reuse::Reused { idle_before_ns, requests_before } => {
            format!("r={requests_before} idle={:.3}s", idle_before_ns as f64 / 1e9)
        }
    };
    format!(
        "authz;dur={:.3}, store;dur={:.3}, total;dur={:.3}, conn;desc=\"{connection}\"",
        ms(phases.authorize),
        ms(phases.store),
        ms(total),
    )
}
