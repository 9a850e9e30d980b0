//! What is built in, and how it is sent.

use axum::http::header::HeaderMap;

use super::*;

/// Bytes that the whole page may have on the wire.
const BUDGET: usize = 80 * 1024;

fn asked(headers: &[(HeaderName, &'static str)]) -> HeaderMap {
    headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
}

fn main_script() -> Served {
    Served::new(FILES.iter().find(|file| file.path == MAIN).expect("built in"))
}

#[test]
fn the_vendored_library_is_the_published_one() {
    for (file, hash) in [
        // Of uplot-1.6.32.tgz at npm: dist/uPlot.iife.min.js, dist/uPlot.min.css, LICENSE.
        (
            include_str!("vendor/uplot-1.6.32.min.js"),
            "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
        ),
        (
            include_str!("vendor/uplot-1.6.32.min.css"),
            "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
        ),
    ] {
        assert_eq!(HEXLOWER.encode(digest(&SHA256, file.as_bytes()).as_ref()), hash);
    }
    assert!(include_str!("vendor/uplot-LICENSE").contains("Permission is hereby granted"));
}

#[test]
fn every_file_of_the_folder_is_served() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/page");
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        let is_served = FILES.iter().any(|file| file.path.strip_prefix("/page/") == Some(name.as_str()));
        assert!(is_served || name == "vendor" || name == "tests.rs", "{name}");
    }
}

#[test]
fn modules_import_what_is_there_and_write_no_markup() {
    for file in FILES.iter().filter(|file| is_module(file)) {
        for markup in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "http://",
            "https://",
        ] {
            assert!(!file.text.contains(markup), "{}: {markup}", file.path);
        }
        for import in file.text.split(" from \"./").skip(1) {
            let name = import.split('"').next().expect("a name");
            assert!(FILES.iter().any(|file| file.path.strip_prefix("/page/") == Some(name)), "{name}");
        }
    }
}

#[test]
fn the_page_is_small() {
    let all: usize = FILES
        .iter()
        .map(|file| Served::new(file).gzip.map_or(file.text.len(), |small| small.bytes.len()))
        .sum();
    assert!(all <= BUDGET, "{all} bytes");
}

#[test]
fn a_file_is_sent_in_the_form_that_is_asked_for() {
    let served = main_script();
    for (encodings, encoded) in [
        (None, false),
        (Some("gzip, deflate, br"), true),
        (Some("br;q=1.0, gzip;q=0.5"), true),
        (Some("*"), true),
        (Some("gzip;q=0"), false),
        (Some("identity"), false),
    ] {
        let asked = encodings.map_or_else(HeaderMap::new, |text| asked(&[(ACCEPT_ENCODING, text)]));
        let response = served.answer(&asked);
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers().contains_key(CONTENT_ENCODING), encoded, "{encodings:?}");
        assert_eq!(response.headers()[CONTENT_TYPE], SCRIPT);
        assert_eq!(response.headers()[VARY], "accept-encoding");
    }
    let small = served.gzip.as_ref().expect("it compresses");
    assert_ne!(small.tag, served.plain.tag);
    let mut text = String::new();
    io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*small.bytes), &mut text).expect("gzip");
    assert_eq!(text.as_bytes(), &*served.plain.bytes);
}

#[test]
fn a_file_that_the_browser_has_is_not_sent_again() {
    let served = main_script();
    let first = served.answer(&HeaderMap::new());
    let tag = first.headers()[ETAG].to_str().expect("a tag").to_owned();
    let asked = |text: String| {
        let value = HeaderValue::try_from(text).expect("a value");
        HeaderMap::from_iter([(IF_NONE_MATCH, value)])
    };
    for text in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
        let response = served.answer(&asked(text));
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(response.headers()[ETAG], tag.as_str());
        assert!(!response.headers().contains_key(CONTENT_TYPE));
    }
    assert_eq!(served.answer(&asked("\"other\"".to_owned())).status(), StatusCode::OK);
}

#[test]
fn the_shell_has_no_inline_script_or_style() {
    let shell = shell().into_string();
    assert!(!shell.contains("style=") && !shell.contains(" on") && !shell.contains("<style"), "{shell}");
    assert!(shell.split("<script ").skip(1).all(|tag| tag.starts_with("src=\"/page/")), "{shell}");
}
