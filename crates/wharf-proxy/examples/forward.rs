//! A proxy from one port to another, for trying things by hand:
//! `cargo run -p wharf-proxy --example forward -- 4080 shop.localhost 127.0.0.1:8000`.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::sync::{broadcast, watch};
use wharf_model::{Condition, OriginForm, Owner, Protocol, Route, RouteTable, Upstream};
use wharf_proxy::{Config, Front, Ownership, Proxy};

struct Anybody;

impl Ownership for Anybody {
    fn verify(&self, _: &Upstream, _: SocketAddr) -> Result<(), String> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, port, host, address] = arguments.as_slice() else {
        return Err("usage: forward PORT HOST ADDRESS".into());
    };
    let route = Route {
        host: host.clone(),
        path: "/".into(),
        site: host.clone(),
        origins: Vec::new(),
        guarded: true,
        origin_form: OriginForm::Plain,
        lan: false,
        upstream: Upstream {
            name: host.as_str().into(),
            instance: None,
            addresses: vec![address.parse()?],
            protocol: Protocol::Http1,
            owner: Owner::User,
            condition: Condition::Up,
        },
    };
    let (_routes, table) = watch::channel(Arc::new(RouteTable::new([route])));
    let (records, _) = broadcast::channel(64);
    let proxy = Proxy::start(Config {
        routes: table,
        ownership: Arc::new(Anybody),
        upstream_tls: None,
        records,
        max_connections: 4096,
    })?;
    let listener = TcpListener::bind(("127.0.0.1", port.parse()?))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        proxy.open(Front { listener, tls: None, lan: false, only: None })?;
        std::future::pending::<io::Result<()>>().await
    })?;
    Ok(())
}
