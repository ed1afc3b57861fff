//! What the daemon is asked of names that a user gives, and of requests.

use wharf_control::names::{AliasList, AliasRequest, TcpList, TcpRequest};
use wharf_control::requests::{InspectRequest, Inspecting, RequestList};
use wharf_control::{Client, RequestStream};

use super::{Link, report};
use crate::report::Report;

impl Link {
    /// Every alias.
    pub(crate) async fn aliases(&self) -> Result<AliasList, Report> {
        self.call(Client::aliases).await
    }

    /// Has a name lead there.
    pub(crate) async fn put_alias(&self, name: &str, target: String) -> Result<AliasList, Report> {
        let to = AliasRequest { target };
        self.call(async |client| client.put_alias(name, &to).await).await
    }

    /// Takes an alias away.
    pub(crate) async fn delete_alias(&self, name: &str) -> Result<AliasList, Report> {
        self.call(async |client| client.delete_alias(name).await).await
    }

    /// Every name for TCP.
    pub(crate) async fn tcp_names(&self) -> Result<TcpList, Report> {
        self.call(Client::tcp_names).await
    }

    /// Has a name for TCP lead there.
    pub(crate) async fn put_tcp_name(&self, name: &str, to: TcpRequest) -> Result<TcpList, Report> {
        self.call(async |client| client.put_tcp_name(name, &to).await).await
    }

    /// Takes a name for TCP away.
    pub(crate) async fn delete_tcp_name(&self, name: &str) -> Result<TcpList, Report> {
        self.call(async |client| client.delete_tcp_name(name).await).await
    }

    /// The requests that are kept.
    pub(crate) async fn kept_requests(&self) -> Result<RequestList, Report> {
        self.call(Client::kept_requests).await
    }

    /// Has requests kept although nobody looks, or no longer.
    pub(crate) async fn inspect(&self, inspect: bool) -> Result<Inspecting, Report> {
        let request = InspectRequest { inspect };
        self.call(async |client| client.inspect(&request).await).await
    }

    /// The requests from now on: of this daemon, without a second try.
    pub(crate) async fn requests(&self) -> Result<RequestStream, Report> {
        self.client.requests().await.map_err(report)
    }
}
