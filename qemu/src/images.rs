//! `cargo qemu image`: the image that the guests boot from, as a file.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::{
    Common,
    host::{self, Need},
    image::{self, Format, Image, table::Group},
    suites::Suite,
};

/// Write an image of dockerlaunch and Docker to a file
#[derive(Args)]
pub(crate) struct Arguments {
    /// Debian's suite that kernel and engine are taken from
    #[arg(long, value_enum, default_value = "trixie")]
    suite: Suite,
    #[arg(long, value_enum)]
    format: Format,
    /// With what a state disk, `ip=dhcp` and a root that is never written need
    #[arg(long)]
    appliance: bool,
    /// The file to write
    #[arg(long, short)]
    output: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<()> {
    host::ready(&[Need::Image, arguments.format.need()])?;
    let program = common.program()?;
    let packages = arguments.suite.unpacked(&common.mirror)?;
    let image = Image {
        name: arguments.suite.name().to_owned(),
        packages: &packages,
        more: None,
        program: &program,
        groups: if arguments.appliance {
            Group::APPLIANCE
        } else {
            Group::ALL
        },
        extra: Vec::new(),
        format: arguments.format,
    };
    let sizes = image.write(&arguments.output)?;
    println!("{}", image::report(&sizes, &arguments.output)?);
    println!("kernel: {}", image::kernel(&packages)?.display());
    Ok(())
}
