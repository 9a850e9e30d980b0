use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::{Profile, ProfileError, ProfileWarning};

const WHOLE: &str = r#"
endpoint = "https://127.0.0.1:7443"
vending = "https://127.0.0.1:7444"
ca = "ca.pem"
account = "demo"
user = "demo"
user_secret = "SENTINEL-one"
application = "demo-app"
application_secret = "SENTINEL-two"
container = "files"
[s3]
access_key_id = "AK"
secret_access_key = "SENTINEL-three"
"#;

fn written(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("profile.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    fs::write(dir.path().join("ca.pem"), "PEM").unwrap();
    (dir, path)
}

fn nothing(_: &str) -> Option<OsString> {
    None
}

#[test]
fn a_profile_is_read_and_a_readable_one_warns() {
    let (_dir, path) = written(WHOLE, 0o600);
    let profile = Profile::load(Some(&path), &nothing).ok().unwrap();
    assert_eq!(profile.endpoint(), "https://127.0.0.1:7443");
    assert_eq!(profile.ca_pem, b"PEM", "relative to the profile");
    assert_eq!(profile.user_secret.expose(), "SENTINEL-one");
    assert_eq!(profile.container.unwrap().as_str(), "files");
    assert!(profile.warnings.is_empty());
    let (_dir, path) = written(WHOLE, 0o644);
    let warned = Profile::load(Some(&path), &nothing).ok().unwrap().warnings;
    assert_eq!(warned, [ProfileWarning::Readable { path, mode: 0o644 }]);
}

#[test]
fn secrets_come_from_files_and_from_the_environment_too() {
    let text = WHOLE
        .replace("user_secret = \"SENTINEL-one\"", "user_secret_file = \"secret\"")
        .replace("application_secret = \"SENTINEL-two\"", "");
    let (dir, path) = written(&text, 0o600);
    fs::write(dir.path().join("secret"), "from-file\n").unwrap();
    let env = |name: &str| (name == "REPONO_APPLICATION_SECRET").then(|| OsString::from("from-env"));
    let profile = Profile::load(Some(&path), &env).ok().unwrap();
    assert_eq!(profile.user_secret.expose(), "from-file");
    assert_eq!(profile.application_secret.expose(), "from-env");
    let missing = Profile::load(Some(&path), &nothing).err().unwrap();
    assert!(matches!(missing, ProfileError::Secret { key: "application_secret", .. }));
}

#[test]
fn the_search_goes_from_the_option_over_the_variable_to_the_home() {
    let (dir, path) = written(WHOLE, 0o600);
    let named = |name: &str| (name == "REPONO_PROFILE").then(|| path.clone().into_os_string());
    assert!(Profile::load(None, &named).is_ok());
    let home = dir.path().to_owned();
    let homed = |name: &str| (name == "HOME").then(|| home.clone().into_os_string());
    let missing = Profile::load(None, &homed).err().unwrap();
    assert!(missing.to_string().contains(".config/repono/profile.toml"), "{missing}");
    let usual = dir.path().join(".config/repono");
    fs::create_dir_all(&usual).unwrap();
    fs::copy(&path, usual.join("profile.toml")).unwrap();
    fs::write(usual.join("ca.pem"), "PEM").unwrap();
    assert!(Profile::load(None, &homed).is_ok());
}

#[test]
fn errors_name_the_key_and_the_line_and_never_a_value() {
    let cases = [
        ("user_secret = \"SENTINEL-one\"", "user_sekret = \"SENTINEL-one\"", "user_sekret"),
        ("user_secret = \"SENTINEL-one\"", "user_secret = SENTINEL-one", "line 7"),
        ("user_secret = \"SENTINEL-one\"", "user_secret = [\"SENTINEL-one\"]", "line 7"),
        ("account = \"demo\"", "account = \"a/b\"", "`account`"),
        ("https://127.0.0.1:7444", "http://127.0.0.1:7444", "`vending`"),
        ("ca.pem", "missing.pem", "missing.pem"),
    ];
    for (from, to, expected) in cases {
        let (_dir, path) = written(&WHOLE.replace(from, to), 0o600);
        let error = Profile::load(Some(&path), &nothing).err().unwrap();
        let text = error.to_string();
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("SENTINEL") && !format!("{error:?}").contains("SENTINEL"), "{error:?}");
    }
}
