//! A service as the layers of its files make it: what a file says, over what the files below it say.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use wharf_model::Publication;

/// What is known of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Body {
    /// Where it was first named.
    pub(super) source: String,
    pub(super) image: Option<String>,
    pub(super) build: Option<String>,
    pub(super) container: Option<String>,
    pub(super) profiles: Vec<String>,
    pub(super) ports: Vec<Publication>,
    pub(super) extends: Option<Extends>,
    pub(super) tags: Tags,
}

/// Another service that a service begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extends {
    pub(super) service: String,
    /// The file that it stands in; its own where none is named.
    pub(super) file: Option<PathBuf>,
    /// The line that says so, from 1.
    pub(super) line: usize,
}

/// What `!reset` and `!override` stand at: what lies below does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tags {
    /// `!reset` at the service itself: there is none of this name.
    pub(super) is_removed: bool,
    /// `!override` at the service itself.
    pub(super) whole: bool,
    pub(super) image: bool,
    pub(super) build: bool,
    pub(super) container: bool,
    pub(super) profiles: bool,
    pub(super) ports: bool,
}

impl Body {
    /// This one laid over another: texts in their place, lists behind the others.
    pub(super) fn over(self, below: Body) -> Body {
        let below = match self.tags.whole {
            true => Body { source: below.source, ..Body::default() },
            false => below.without(self.tags),
        };
        let source = if below.source.is_empty() { self.source } else { below.source };
        let mut profiles = below.profiles;
        for profile in self.profiles {
            if !profiles.contains(&profile) {
                profiles.push(profile);
            }
        }
        Body {
            source,
            image: self.image.or(below.image),
            build: self.build.or(below.build),
            container: self.container.or(below.container),
            profiles,
            ports: each_once(below.ports.into_iter().chain(self.ports)),
            extends: self.extends.or(below.extends),
            tags: Tags::default(),
        }
    }
}

impl Body {
    /// Without what tags take away.
    pub(super) fn without(self, tags: Tags) -> Body {
        let kept = |is_tagged: bool, text: Option<String>| text.filter(|_| !is_tagged);
        Body {
            image: kept(tags.image, self.image),
            build: kept(tags.build, self.build),
            container: kept(tags.container, self.container),
            profiles: if tags.profiles { Vec::new() } else { self.profiles },
            ports: if tags.ports { Vec::new() } else { self.ports },
            ..self
        }
    }
}

/// Of two ports that are the same on both sides the later: whoever publishes on no address does it on all.
fn each_once(ports: impl Iterator<Item = Publication>) -> Vec<Publication> {
    let everywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let mut known = HashMap::new();
    let mut unique: Vec<Publication> = Vec::new();
    for port in ports {
        let address = port.address.unwrap_or(everywhere);
        let key = (address, port.host.clone(), port.target, port.protocol.clone());
        match known.entry(key) {
            Entry::Occupied(place) => unique[*place.get()] = port,
            Entry::Vacant(place) => {
                place.insert(unique.len());
                unique.push(port);
            }
        }
    }
    unique
}

/// How many ports of this machine these are, or of Docker's choice.
pub(super) fn weight(ports: &[Publication]) -> usize {
    ports.iter().map(|one| one.host.clone().map_or(1, Iterator::count)).sum()
}
