//! The two ways that HTTP/2 comes in: every case is tried by both.

use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use wharf_model::Route;

use crate::stage::{HOST, House, LIMIT, Line, Log, Upstream, route};

/// How a client comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// In the clear, with prior knowledge.
    Clear,
    /// By TLS, agreed on by ALPN.
    Tls,
}

pub(crate) const WAYS: [Way; 2] = [Way::Clear, Way::Tls];

impl Way {
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Way::Clear => "http",
            Way::Tls => "https",
        }
    }
}

/// A proxy, and the front of it that is tried.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) house: House,
    pub(crate) way: Way,
    pub(crate) port: u16,
}

impl Door {
    pub(crate) fn new(way: Way, routes: impl IntoIterator<Item = Route>) -> Door {
        let house = House::new(routes);
        let port = match way {
            Way::Clear => house.port,
            Way::Tls => house.tls(),
        };
        Door { house, way, port }
    }
}

/// A proxy with one route to one scripted server of HTTP/1.
pub(crate) struct Set {
    pub(crate) door: Door,
    pub(crate) upstream: Upstream,
}

impl Set {
    pub(crate) fn new(way: Way, script: impl Fn(&mut Line) + Send + Sync + 'static) -> Set {
        let upstream = Upstream::new(Arc::new(script));
        let door = Door::new(way, [route(HOST, upstream.address)]);
        Set { door, upstream }
    }

    /// Its server answers every request with its method and target.
    pub(crate) fn echo(way: Way) -> Set {
        Set::new(way, Line::echo)
    }

    /// Ends the proxy; gives everything that the server was ever sent.
    pub(crate) fn end(self) -> Log {
        drop(self.door);
        self.upstream.end()
    }
}

/// A connection to a front, before TLS.
pub(crate) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}
