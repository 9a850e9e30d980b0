//! Writing a reply: the head and a small body in one piece.

use bytes::BytesMut;
use repono_core::refusal::{After, Refusal};
use repono_core::request::Method;
use repono_http1::{CONTINUE, Expect, ResponseHead};
use repono_journal::Stamp;
use repono_wire::error_body;
use repono_wire::reply::{self, Common, FieldSink};

use super::{Detail, Exchange, Stop};
use crate::limits::KEEP_ALIVE_ADVERTISED_S;

/// Header fields on their way into a reply.
pub(super) struct Fields<'o>(ResponseHead<'o>);

impl FieldSink for Fields<'_> {
    fn field(&mut self, name: &str, value: &[u8]) {
        self.0.field(name, value);
    }
}

impl Exchange<'_> {
    /// Writes the head of a reply into `out`.
    pub(super) fn write_head(
        &mut self,
        out: &mut BytesMut,
        status: u16,
        fields: impl FnOnce(&mut Fields<'_>, &Common<'_>),
    ) {
        self.record.status = Some(status);
        let mut text = self.shard.take_text();
        let mut sink = Fields(ResponseHead::new(&mut text, self.head.version(), status));
        self.shard.with_date(self.now, |date| {
            let common = Common { trans_id: &self.trans_id, connection: &self.connection, date };
            fields(&mut sink, &common);
        });
        match self.after {
            After::Keep => {
                sink.field("Connection", b"keep-alive");
                sink.field("Keep-Alive", const { KEEP_ALIVE.as_bytes() });
            }
            After::Close => sink.field("Connection", b"close"),
        }
        sink.0.finish();
        out.extend_from_slice(&text);
        self.shard.give_back_text(text);
    }

    /// Sends what stands in `out` and gives the buffer back.
    pub(super) async fn send(&mut self, out: BytesMut) -> Result<(), Stop> {
        let began = Stamp::mono_now();
        let sent = self.io.send(&out).await;
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
        self.send_document(refusal.status, &document, |sink, common| {
            reply::refusal(sink, common, refusal, document.len() as u64);
            match detail {
                Detail::Nothing => {}
                Detail::Allow(methods) => reply::allow(sink, methods),
                Detail::Size(bytes) => reply::range_not_satisfiable(sink, *bytes),
            }
        })
        .await
    }

    /// Tells a waiting client to send the body.
    pub(super) async fn send_continue(&mut self) -> Result<(), Stop> {
        if self.expect == Expect::Continue {
            self.expect = Expect::None;
            if self.io.buffered().is_empty() {
                self.io.send(CONTINUE).await?;
            }
        }
        Ok(())
    }
}

const KEEP_ALIVE: &str = {
    assert!(KEEP_ALIVE_ADVERTISED_S == 55, "the text of the header must say the same");
    "timeout=55"
};
