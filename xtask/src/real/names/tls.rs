//! How the proxy speaks TLS, by the judgement of a scanner of other people's: sslyze.

use std::process::Command;

use serde_json::Value;

use super::world::World;

/// Which of its scans are run. Left out is `certinfo`, which also connects without a name: that gets an alert
/// from us and no certificate, and it takes that for a failure of its own.
const SCANS: [&str; 13] = [
    "--sslv2",
    "--sslv3",
    "--tlsv1",
    "--tlsv1_1",
    "--tlsv1_2",
    "--tlsv1_3",
    "--compression",
    "--reneg",
    "--fallback",
    "--heartbleed",
    "--openssl_ccs",
    "--robot",
    "--ems",
];

/// Versions of which no cipher suite may be accepted.
const REFUSED: [&str; 4] = ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"];

pub fn prove(world: &mut World<'_>) -> Result<String, String> {
    for run in world.runs()? {
        world.start(run, "shop", &[])?;
    }
    world.ready()?;
    let [site] = &world.sites[..] else { return Err("one server was wanted".to_owned()) };
    let url = site.url("https", "/");
    let at = url.trim_start_matches("https://").trim_end_matches('/');
    let at = if at.contains(':') { at.to_owned() } else { format!("{at}:443") };
    let found = scan(world, &format!("{at}{{127.0.0.1}}"))?;
    judge(&found)
}

fn scan(world: &World<'_>, target: &str) -> Result<Value, String> {
    let out = world.place.root.join("sslyze.json");
    let done = Command::new(world.place.parts.join("sslyze/bin/sslyze"))
        .args(SCANS)
        .args(["--mozilla_config", "disable", "--json_out"])
        .arg(&out)
        .arg(target)
        .output()
        .map_err(|error| format!("cannot run sslyze: {error}"))?;
    let text = std::fs::read_to_string(&out).map_err(|error| {
        format!("sslyze wrote nothing ({error}): {}", String::from_utf8_lossy(&done.stdout))
    })?;
    let found: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    Ok(found["server_scan_results"][0]["scan_result"].clone())
}

/// What it says, or the first thing that is not as it must be.
fn judge(found: &Value) -> Result<String, String> {
    for version in REFUSED {
        let suites = accepted(found, version)?;
        if !suites.is_empty() {
            return Err(format!("{version} is spoken, with {suites:?}"));
        }
    }
    let (old, new) = (accepted(found, "tls_1_2")?, accepted(found, "tls_1_3")?);
    let is_strong = |suite: &&String| {
        suite.starts_with("TLS_ECDHE_") && (suite.contains("_GCM_") || suite.contains("_POLY1305_"))
    };
    if let Some(weak) = old.iter().find(|suite| !is_strong(suite)) {
        return Err(format!("{weak} is accepted"));
    }
    if old.is_empty() || new.is_empty() {
        return Err(format!("TLS 1.2 has {old:?}, TLS 1.3 has {new:?}"));
    }
    let wanted = [
        ("tls_compression", "supports_compression", Value::Bool(false)),
        ("session_renegotiation", "is_vulnerable_to_client_renegotiation_dos", Value::Bool(false)),
        ("session_renegotiation", "supports_secure_renegotiation", Value::Bool(true)),
        ("tls_fallback_scsv", "supports_fallback_scsv", Value::Bool(true)),
        ("heartbleed", "is_vulnerable_to_heartbleed", Value::Bool(false)),
        ("openssl_ccs_injection", "is_vulnerable_to_ccs_injection", Value::Bool(false)),
        ("robot", "robot_result", "NOT_VULNERABLE_RSA_NOT_SUPPORTED".into()),
        ("tls_extended_master_secret", "supports_ems_extension", Value::Bool(true)),
    ];
    for (scan, field, value) in wanted {
        let said = &found[scan]["result"][field];
        if *said != value {
            return Err(format!("{scan}: {field} is {said}, not {value}"));
        }
    }
    Ok(format!("{} suites of TLS 1.2, {} of TLS 1.3, nothing older", old.len(), new.len()))
}

/// The cipher suites of a version that are accepted.
fn accepted(found: &Value, version: &str) -> Result<Vec<String>, String> {
    let scan = &found[format!("{version}_cipher_suites")];
    let suites = scan["result"]["accepted_cipher_suites"].as_array();
    let suites = suites.ok_or_else(|| format!("sslyze says nothing of {version}: {scan:.300}"))?;
    let name = |suite: &Value| suite["cipher_suite"]["name"].as_str().map(str::to_owned);
    Ok(suites.iter().filter_map(name).collect())
}
