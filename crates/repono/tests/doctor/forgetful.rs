//! Boxes made of conntrack: what they forget is dropped, or answered by RST.

use repono_testkit::network::{Network, Place, Rules, Unknown, inside};
use repono_testkit::system::{Site, System};

use crate::verdict::{Row, measured};
use crate::{PROGRAM, rule};

/// What the boxes remember.
const REMEMBERS_S: u32 = 4;

const SILENT: Row = Row { what: "conntrack that drops what it forgot, 4 s", limit_s: 4.0, manner: "silent" };
const RESETS: Row =
    Row { what: "conntrack that resets what it forgot, 4 s", limit_s: 4.0, manner: "rst-on-send" };

/// The rows of the relays stand with their plans.
pub(crate) const ROWS: [Row; 5] = [
    SILENT,
    RESETS,
    Row { what: "relay that resets quiet connections", limit_s: 4.0, manner: "rst" },
    Row { what: "relay that resets the next request", limit_s: 4.0, manner: "rst-on-send" },
    Row { what: "relay that takes the next request and says nothing", limit_s: 4.0, manner: "acked-silent" },
];

fn scenario(name: &str, row: Row, unknown: Unknown, hop: &str) {
    inside(name, |network: &mut Network| {
        let site = Site { through: Place::Servers.through(), address: Place::Servers.address() };
        let system = System::start_at(site, PROGRAM, &["--heads", "1"]).expect("up");
        network.set(Rules::forgetting(REMEMBERS_S, unknown)).expect("set");
        let arguments = ["--ca", system.fact("ca"), "--idle-max", "8", "--yes"];
        let report = measured(row, system.balancer(), &arguments);
        let finding = rule(&report["findings"], &format!("idle-{}", row.manner)).expect("a finding");
        assert_eq!(finding["hop"], hop, "{finding}");
        assert_eq!(report["idle"]["keepalive_extends"], true, "keepalive refreshes what conntrack knows");
        let stranger = if row.manner == "silent" { "silence" } else { "rst" };
        assert_eq!(report["stranger"]["answer"], stranger, "{}", report["skipped"]);
        let client = report["clients"].as_array().expect("clients").iter().find(|c| c["client"] == "OkHttp");
        assert_eq!(client.expect("a row")["verdict"], if row.manner == "silent" { "unsafe" } else { "safe" });
    });
}

#[test]
fn a_box_that_drops_what_it_forgot_is_named() {
    scenario("forgetful::a_box_that_drops_what_it_forgot_is_named", SILENT, Unknown::Dropped, "path");
}

#[test]
fn a_box_that_resets_what_it_forgot_is_named() {
    scenario("forgetful::a_box_that_resets_what_it_forgot_is_named", RESETS, Unknown::Reset, "unknown");
}
