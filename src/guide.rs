//! The README and the pages that it links: a page a subject, and no code.

// docs.rs shows them as documentation of empty modules, which are in no program. A page defines its links at its end, as files
// of the repository. Rustdoc has no such files, so the definitions below come before each page's: Markdown takes the first of a
// name. `settings` is the name of rustdoc's own menu, so the heading gets another.
macro_rules! pages {
    ($($name:ident: $file:literal,)+) => {
        $(
            #[doc = "[appliance]: self::appliance"]
            #[doc = "[clients]: self::clients"]
            #[doc = "[docker-in-docker]: self::docker_in_docker"]
            #[doc = "[features]: self::features"]
            #[doc = "[image]: self::image"]
            #[doc = "[launch]: self::launch"]
            #[doc = "[needs]: self::needs"]
            #[doc = "[pid1]: self::pid1"]
            #[doc = "[exit-status]: self::readme#exit-status"]
            #[doc = "[settings]: self::readme#settings-1"]
            #[doc = "[troubleshooting]: self::readme#troubleshooting"]
            #[doc = ""]
            #[doc = include_str!($file)]
            pub mod $name {}
        )+
    };
}

// The Rust in them is a doc test.
pages! {
    readme: "../README.md",
    appliance: "guide/appliance.md",
    image: "guide/image.md",
    docker_in_docker: "guide/docker-in-docker.md",
    clients: "guide/clients.md",
    launch: "guide/launch.md",
    needs: "guide/needs.md",
    pid1: "guide/pid1.md",
    features: "guide/features.md",
}
