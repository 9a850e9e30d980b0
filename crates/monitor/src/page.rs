//! The page: its shell, and its files, which are built into the program.
//!
//! A browser asks again for each file, and is told that it has not changed: the strong
//! ETag is of its bytes. What compresses is compressed once, at the start.

use std::io::{self, Write};

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, VARY,
};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::write::GzEncoder;
use maud::{DOCTYPE, Markup, html};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const IMAGE: &str = "image/svg+xml";
/// Of a SHA-256, as much as tells files of one name apart.
const TAG_BYTES: usize = 16;

/// A file as it is built in.
struct BuiltIn {
    path: &'static str,
    media: &'static str,
    text: &'static str,
}

macro_rules! files {
    ($($file:literal => $path:literal $media:ident,)*) => {
        [$(BuiltIn { path: concat!("/page/", $path), media: $media, text: include_str!(concat!("page/", $file)) }),*]
    };
}

/// In the order in which the shell names them: styles that come later win.
const FILES: [BuiltIn; 34] = files! {
    "vendor/uplot-1.6.32.min.css" => "uplot-1.6.32.min.css" STYLE,
    "tokens.css" => "tokens.css" STYLE,
    "page.css" => "page.css" STYLE,
    "panels.css" => "panels.css" STYLE,
    "login.css" => "login.css" STYLE,
    "icon.svg" => "icon.svg" IMAGE,
    "vendor/uplot-1.6.32.min.js" => "uplot-1.6.32.min.js" SCRIPT,
    "annotations.js" => "annotations.js" SCRIPT,
    "api.js" => "api.js" SCRIPT,
    "cell-map.js" => "cell-map.js" SCRIPT,
    "chart.js" => "chart.js" SCRIPT,
    "clock.js" => "clock.js" SCRIPT,
    "closes.js" => "closes.js" SCRIPT,
    "compare.js" => "compare.js" SCRIPT,
    "confirm.js" => "confirm.js" SCRIPT,
    "controls.js" => "controls.js" SCRIPT,
    "dom.js" => "dom.js" SCRIPT,
    "format.js" => "format.js" SCRIPT,
    "grid.js" => "grid.js" SCRIPT,
    "head-actions.js" => "head-actions.js" SCRIPT,
    "heads.js" => "heads.js" SCRIPT,
    "heatmap.js" => "heatmap.js" SCRIPT,
    "live.js" => "live.js" SCRIPT,
    "main.js" => "main.js" SCRIPT,
    "palette.js" => "palette.js" SCRIPT,
    "panel.js" => "panel.js" SCRIPT,
    "phases.js" => "phases.js" SCRIPT,
    "plot.js" => "plot.js" SCRIPT,
    "ranges.js" => "ranges.js" SCRIPT,
    "schedule.js" => "schedule.js" SCRIPT,
    "slowest.js" => "slowest.js" SCRIPT,
    "state-in-url.js" => "state-in-url.js" SCRIPT,
    "timeline.js" => "timeline.js" SCRIPT,
    "verdict.js" => "verdict.js" SCRIPT,
};
const MAIN: &str = "/page/main.js";
/// Of the log-in alone.
pub(crate) const LOGIN_STYLE: &str = "/page/login.css";
/// What all pages look like.
pub(crate) const STYLES: [&str; 2] = ["/page/tokens.css", "/page/page.css"];
pub(crate) const ICON: &str = "/page/icon.svg";
/// Not a module: it brings a global, and must have run before the modules do.
const CHART_LIBRARY: &str = "/page/uplot-1.6.32.min.js";

/// The shell of the page. The modules build what is in it.
pub(crate) fn shell() -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Repono" }
                link rel="icon" href=(ICON);
                @for file in FILES.iter().filter(|file| file.media == STYLE && file.path != LOGIN_STYLE) {
                    link rel="stylesheet" href=(file.path);
                }
                @for file in FILES.iter().filter(|file| is_module(file)) {
                    link rel="modulepreload" href=(file.path);
                }
                script src=(CHART_LIBRARY) defer {}
                script src=(MAIN) type="module" {}
            }
            body {
                a.skip href="#main" { "To the verdict" }
                header #bar { h1 { "Repono " span #monitor {} } }
                main #main tabindex="-1" {
                    noscript {
                        p { "The page needs JavaScript. The same facts are under " a href="/metrics" { "/metrics" } "." }
                    }
                }
                div #announce .unseen aria-live="polite" {}
            }
        }
    }
}

fn is_module(file: &BuiltIn) -> bool {
    file.media == SCRIPT && file.path != CHART_LIBRARY
}

/// The files' routes.
pub(crate) fn files<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |router, file| {
        let served = Served::new(file);
        router.route(file.path, get(async move |headers: HeaderMap| served.answer(&headers)))
    })
}

/// One way in which a file is sent.
#[derive(Clone)]
struct Form {
    tag: HeaderValue,
    bytes: Bytes,
}

/// A file with the forms in which it is sent.
#[derive(Clone)]
struct Served {
    media: &'static str,
    plain: Form,
    /// Where it is smaller.
    gzip: Option<Form>,
}

impl Served {
    fn new(file: &BuiltIn) -> Self {
        let bytes = file.text.as_bytes();
        let small = gzip(bytes).ok().filter(|small| small.len() < bytes.len());
        Self {
            media: file.media,
            plain: Form::new(Bytes::from_static(bytes)),
            gzip: small.map(|small| Form::new(small.into())),
        }
    }

    fn answer(&self, asked: &HeaderMap) -> Response<Body> {
        let small = self.gzip.as_ref().filter(|_| listed(asked, &ACCEPT_ENCODING, "gzip"));
        let form = small.unwrap_or(&self.plain);
        let shared = [
            (ETAG, form.tag.clone()),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (VARY, HeaderValue::from_static("accept-encoding")),
        ];
        if form.tag.to_str().is_ok_and(|tag| listed(asked, &IF_NONE_MATCH, tag)) {
            return (StatusCode::NOT_MODIFIED, shared).into_response();
        }
        let encoding = small.map(|_| [(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
        let media = [(CONTENT_TYPE, HeaderValue::from_static(self.media))];
        let mut response = (shared, media, form.bytes.clone()).into_response();
        response.headers_mut().extend(encoding.into_iter().flatten());
        response
    }
}

impl Form {
    fn new(bytes: Bytes) -> Self {
        let hash = digest(&SHA256, &bytes);
        let hash = hash.as_ref().get(..TAG_BYTES).unwrap_or_default();
        let tag = HeaderValue::try_from(format!("\"{}\"", HEXLOWER.encode(hash)));
        // Hexadecimal digits are a header's value; without a tag the file is sent anew.
        Self { tag: tag.unwrap_or_else(|_| HeaderValue::from_static("\"\"")), bytes }
    }
}

/// Whether a list of words in headers has `wanted`, or takes any. An encoding that is
/// refused by `q=0` is not wanted.
fn listed(asked: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let values = asked.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let word = parts.next().unwrap_or_default();
        let word = word.strip_prefix("W/").unwrap_or(word);
        let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        (word == wanted || word == "*") && !refused
    })
}

/// *Errors*: none in practice, for memory takes all that is written.
fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests;
