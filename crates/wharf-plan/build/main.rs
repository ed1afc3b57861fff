//! Turns the data files into static tables, so that nothing is parsed when wharf starts.

mod check;
mod emit;
mod entry;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use entry::{Entry, PortsFile, RunnerEntry, Wrappers};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new("catalog");
    println!("cargo::rerun-if-changed=catalog");
    println!("cargo::rerun-if-changed=build");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);

    let mut entries: Vec<Entry> = Vec::new();
    let mut runners: Vec<RunnerEntry> = Vec::new();
    for path in data_files(folder)? {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match stem.as_str() {
            "ports" | "wrappers" => {}
            name if name.starts_with("runner-") => {
                let runner: RunnerEntry = read(&path)?;
                check::runner(&runner, name).map_err(|why| said_of(&path, &why))?;
                runners.push(runner);
            }
            name => {
                let entry: Entry = read(&path)?;
                check::entry(&entry, name).map_err(|why| said_of(&path, &why))?;
                entries.push(entry);
            }
        }
    }
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    let wrappers: Wrappers = read(&folder.join("wrappers.toml"))?;
    let ports_path = folder.join("ports.toml");
    let mut ports: PortsFile = read(&ports_path)?;
    ports.port.sort_by_key(|port| port.number);
    check::ports(&ports).map_err(|why| said_of(&ports_path, &why))?;

    fs::write(out.join("catalog.rs"), emit::catalog(&entries, &runners, &wrappers))?;
    fs::write(out.join("ports.rs"), emit::ports(&ports))?;
    Ok(())
}

/// The data files, by name, so that the tables come out the same on every machine.
fn data_files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut paths = Vec::new();
    for item in fs::read_dir(folder)? {
        let path = item?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Box<dyn Error>> {
    let text = fs::read_to_string(path).map_err(|why| said_of(path, &why.to_string()))?;
    // The parser's message quotes the line and names the key.
    toml::from_str(&text).map_err(|why| said_of(path, &why.to_string()).into())
}

fn said_of(path: &Path, why: &str) -> String {
    format!("{}: {why}", path.display())
}
