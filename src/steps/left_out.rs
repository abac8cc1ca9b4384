//! The steps whose Cargo feature is off: the functions that the recipe calls do nothing.

#[cfg(not(feature = "iptables"))]
pub(crate) mod iptables {
    use crate::{
        docker::{command::Command, config::Config},
        launch::{Launch, Outcome},
    };

    pub(crate) fn choose(_: &Launch<'_>, _: &mut Command<'_>, _: &Config) -> Outcome<()> {
        Ok(())
    }
}

#[cfg(not(feature = "modprobe"))]
pub(crate) mod modules {
    use crate::{
        docker::{command::Command, config::Config},
        launch::{Launch, Outcome},
    };

    /// None loads.
    pub(crate) struct Beside;

    pub(crate) struct Names;

    pub(crate) fn load_first(_: &Launch<'_>, _: &Command<'_>, _: &Config) -> Outcome<Names> {
        Ok(Names)
    }
    pub(crate) fn load_others(
        _: &Launch<'_>,
        _: &Command<'_>,
        _: &Config,
        _: Names,
    ) -> Outcome<Beside> {
        Ok(Beside)
    }
    pub(crate) fn wait(_: &Launch<'_>, _: Beside) {}
    pub(crate) fn load_named(_: &Launch<'_>, _: &Command<'_>) -> Outcome<()> {
        Ok(())
    }
}

#[cfg(not(feature = "supervise"))]
pub(crate) mod containerd {
    use crate::{
        docker::{command::Command, config::Config},
        launch::Launch,
    };

    /// This process starts none.
    pub(crate) enum Containerd {}

    pub(crate) fn start(_: &Launch<'_>, _: &Command<'_>, _: &Config) -> Option<Containerd> {
        None
    }
}

#[cfg(not(feature = "switch-root"))]
pub(crate) mod switch_root {
    use crate::launch::{Launch, Outcome};

    pub(crate) fn is_wanted(_: &Launch<'_>) -> Outcome<bool> {
        Ok(false)
    }
    pub(crate) fn enter(_: &Launch<'_>) -> Outcome<()> {
        Ok(())
    }
}

#[cfg(not(feature = "state"))]
pub(crate) mod state_disk {
    use crate::{
        docker::{command::Command, config::Config},
        launch::{Launch, Outcome},
    };

    pub(crate) fn mount_disk(_: &Launch<'_>, _: &Command<'_>, _: &Config) -> Outcome<()> {
        Ok(())
    }
}

#[cfg(not(feature = "network"))]
pub(crate) mod network {
    use crate::{
        docker::{command::Command, config::Config},
        launch::{Launch, Outcome},
        sys::Strings,
    };

    pub(crate) fn configure(_: &Launch<'_>, _: &mut Command<'_>, _: &Config) -> Outcome<()> {
        Ok(())
    }
    /// No DHCP client is started.
    pub fn lease(_: Strings<'_>, _: Strings<'_>) -> Option<u8> {
        None
    }
}
