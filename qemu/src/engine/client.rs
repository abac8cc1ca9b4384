//! A Docker client for the engine in the guest: bollard behind synchronous calls. Each has a time limit, which its error names.

use std::{
    future::Future,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use bollard::{
    API_DEFAULT_VERSION, Docker,
    container::LogOutput,
    errors::Error,
    exec::{CreateExecOptions, StartExecResults},
    models::{
        ContainerCreateBody, ContainerInspectResponse, Ipam, IpamConfig, NetworkCreateRequest,
    },
    query_parameters::{
        CreateContainerOptionsBuilder, InspectContainerOptions, ListContainersOptions,
        LogsOptionsBuilder, RemoveContainerOptionsBuilder, RestartContainerOptionsBuilder,
        StartContainerOptions, StopContainerOptionsBuilder, TopOptions, WaitContainerOptions,
    },
};
use futures_util::{Stream, TryStreamExt};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

/// The image of every container here: Debian's busybox-static and nothing else.
pub(crate) const IMAGE: &str = "busybox:latest";

/// An emulated engine needs seconds where a real one needs a fraction of one; it never needed more than this.
const ANSWER: Duration = Duration::from_secs(90);
/// One attempt to reach the engine. A forwarded port accepts before the guest listens, so an attempt can also hang.
const ATTEMPT: Duration = Duration::from_secs(2);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);
/// How long a container may take to end after SIGTERM, which busybox as PID 1 ignores.
const STOP_SECONDS: i32 = 1;

pub(crate) struct Engine {
    pub(super) docker: Docker,
    runtime: Runtime,
}

/// The output of a command in a container, and its exit status.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    pub(crate) output: String,
    pub(crate) status: i64,
}

impl Engine {
    /// A client for the forwarded port; nothing is sent yet.
    pub(crate) fn connect(port: u16) -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start the Docker client")?;
        let docker = Docker::connect_with_http(
            &format!("tcp://127.0.0.1:{port}"),
            ANSWER.as_secs(),
            API_DEFAULT_VERSION,
        )
        .with_context(|| format!("make a Docker client for 127.0.0.1:{port}"))?;
        Ok(Self { docker, runtime })
    }

    /// Waits until the engine answers, and negotiates the version of the API. `alive` is called between attempts, so that the wait
    /// ends when the guest does.
    pub(crate) fn wait_ready(
        &mut self,
        limit: Duration,
        mut alive: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let start = Instant::now();
        loop {
            let docker = self.docker.clone();
            let answer = self
                .runtime
                .block_on(async { timeout(ATTEMPT, docker.negotiate_version()).await });
            let reason = match answer {
                Ok(Ok(docker)) => {
                    self.docker = docker;
                    return Ok(());
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".into(),
            };
            alive().context("the guest ended before its engine answered")?;
            if start.elapsed() > limit {
                bail!(
                    "the engine did not answer within {} s (last: {reason}); see its console",
                    limit.as_secs()
                );
            }
            sleep(BETWEEN_ATTEMPTS);
        }
    }

    /// `28.5.2`.
    pub(crate) fn version(&self) -> Result<String> {
        let version = self.ask("ask for the version", self.docker.version())?;
        version
            .version
            .context("the engine did not report its version")
    }

    /// `1` or `2`: the version of cgroups that the engine uses.
    pub(crate) fn cgroup_version(&self) -> Result<String> {
        let info = self.ask("ask for the engine's state", self.docker.info())?;
        Ok(info
            .cgroup_version
            .context("the engine did not report its cgroup version")?
            .to_string())
    }

    /// Runs a command in a new container to its end, and returns its output. A status other than 0 is an error.
    pub(crate) fn run(&self, command: &[&str]) -> Result<String> {
        let ran = self.run_with(command, ContainerCreateBody::default())?;
        match ran.status {
            0 => Ok(ran.output),
            status => bail!(
                "a container ended with status {status}: {}",
                ran.output.trim()
            ),
        }
    }

    /// The same with more settings, and with any status.
    pub(crate) fn run_with(&self, command: &[&str], body: ContainerCreateBody) -> Result<Ran> {
        let container = self.start(None, command, body)?;
        let status = self.wait(&container)?;
        let output = self.logs(&container)?;
        self.remove(&container)?;
        Ok(Ran { output, status })
    }

    /// Creates and starts a container, and returns its id.
    pub(crate) fn start(
        &self,
        name: Option<&str>,
        command: &[&str],
        body: ContainerCreateBody,
    ) -> Result<String> {
        let body = ContainerCreateBody {
            image: Some(IMAGE.into()),
            cmd: Some(command.iter().map(ToString::to_string).collect()),
            ..body
        };
        let options = name.map(|name| CreateContainerOptionsBuilder::new().name(name).build());
        let id = self
            .ask(
                "create a container",
                self.docker.create_container(options, body),
            )?
            .id;
        self.ask(
            "start a container",
            self.docker
                .start_container(&id, None::<StartContainerOptions>),
        )?;
        Ok(id)
    }

    /// Waits until the container ends, and returns its exit status.
    pub(crate) fn wait(&self, container: &str) -> Result<i64> {
        self.wait_within(ANSWER, container)
    }

    /// The same with another limit.
    pub(crate) fn wait_within(&self, limit: Duration, container: &str) -> Result<i64> {
        let ends = self
            .docker
            .wait_container(container, None::<WaitContainerOptions>)
            .try_collect::<Vec<_>>();
        let ended = self.within(limit, "wait for a container", ends)?;
        match ended {
            // bollard calls a status other than 0 an error.
            Err(Error::DockerContainerWaitError { code, .. }) => Ok(code),
            Err(error) => Err(error).context("wait for a container"),
            Ok(ends) => ends
                .first()
                .map(|end| end.status_code)
                .context("the engine did not report the container's status"),
        }
    }

    /// Everything that the container has written.
    pub(crate) fn logs(&self, container: &str) -> Result<String> {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).build();
        self.ask(
            "read a container's logs",
            text(self.docker.logs(container, Some(options))),
        )
    }

    /// Runs a command in a running container: `docker exec`.
    pub(crate) fn exec(&self, container: &str, command: &[&str]) -> Result<Ran> {
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.to_vec()),
            ..CreateExecOptions::default()
        };
        let id = self
            .ask(
                "create an exec",
                self.docker.create_exec(container, options),
            )?
            .id;
        let StartExecResults::Attached { output, .. } =
            self.ask("start an exec", self.docker.start_exec(&id, None))?
        else {
            bail!("the engine started an exec without its output");
        };
        let output = self.ask("read an exec's output", text(output))?;
        let status = self
            .ask("inspect an exec", self.docker.inspect_exec(&id))?
            .exit_code;
        Ok(Ran {
            output,
            status: status.context("an exec that ended has no status")?,
        })
    }

    /// The processes of the container, each as a row of columns: `docker top`.
    pub(crate) fn top(&self, container: &str) -> Result<Vec<String>> {
        let top = self.ask(
            "list a container's processes",
            self.docker.top_processes(container, None::<TopOptions>),
        )?;
        Ok(top.processes.unwrap_or_default().concat())
    }

    pub(crate) fn inspect(&self, container: &str) -> Result<ContainerInspectResponse> {
        self.ask(
            "inspect a container",
            self.docker
                .inspect_container(container, None::<InspectContainerOptions>),
        )
    }

    pub(crate) fn ipv6_address(&self, container: &str, network: &str) -> Result<String> {
        let networks = self.inspect(container)?.network_settings;
        let networks = networks.and_then(|settings| settings.networks);
        let mut networks = networks.unwrap_or_default();
        let address = networks
            .remove(network)
            .and_then(|network| network.global_ipv6_address)
            .filter(|address| !address.is_empty());
        address.with_context(|| format!("the container has no IPv6 address on {network}"))
    }

    /// The container's first process, by its number in the guest.
    pub(crate) fn pid(&self, container: &str) -> Result<i64> {
        let state = self.inspect(container)?.state;
        state
            .and_then(|state| state.pid)
            .filter(|pid| *pid > 0)
            .context("the container does not run")
    }

    pub(crate) fn restart(&self, container: &str) -> Result<()> {
        let options = RestartContainerOptionsBuilder::new()
            .t(STOP_SECONDS)
            .build();
        self.ask(
            "restart a container",
            self.docker.restart_container(container, Some(options)),
        )
    }

    pub(crate) fn remove(&self, container: &str) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        self.ask(
            "remove a container",
            self.docker.remove_container(container, Some(options)),
        )
    }

    /// Creates a bridge network, on which containers find each other by name; with IPv6 if a subnet is given.
    pub(crate) fn create_network(&self, name: &str, ipv6: Option<&str>) -> Result<()> {
        let subnet = |subnet: &str| Ipam {
            config: Some(vec![IpamConfig {
                subnet: Some(subnet.into()),
                ..IpamConfig::default()
            }]),
            ..Ipam::default()
        };
        let request = NetworkCreateRequest {
            name: name.into(),
            enable_ipv6: ipv6.map(|_| true),
            ipam: ipv6.map(subnet),
            ..NetworkCreateRequest::default()
        };
        self.ask("create a network", self.docker.create_network(request))
            .map(drop)
    }

    /// Stops all containers, so that nothing writes to the guest's disk when it ends.
    pub(crate) fn stop_all(&self) -> Result<()> {
        let running = self.ask(
            "list the containers",
            self.docker.list_containers(None::<ListContainersOptions>),
        )?;
        for id in running.into_iter().filter_map(|container| container.id) {
            let options = StopContainerOptionsBuilder::new().t(STOP_SECONDS).build();
            self.ask(
                "stop a container",
                self.docker.stop_container(&id, Some(options)),
            )?;
        }
        Ok(())
    }

    /// Waits for the answer; `step` names it in an error.
    pub(super) fn ask<T>(
        &self,
        step: &'static str,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T> {
        self.within(ANSWER, step, answer)?
            .map_err(|error| anyhow!(error).context(step))
    }

    fn within<T>(&self, limit: Duration, step: &str, answer: impl Future<Output = T>) -> Result<T> {
        // The timer needs the runtime, so it is made inside it.
        let answered = self
            .runtime
            .block_on(async { timeout(limit, answer).await });
        answered.map_err(|_| {
            anyhow!(
                "{step}: the engine did not answer within {} s",
                limit.as_secs()
            )
        })
    }
}

/// Both streams of a container as one text.
async fn text(output: impl Stream<Item = Result<LogOutput, Error>>) -> Result<String, Error> {
    let bytes: Vec<u8> = output
        .map_ok(LogOutput::into_bytes)
        .try_fold(Vec::new(), async |mut all, part| {
            all.extend(part);
            Ok(all)
        })
        .await?;
    Ok(String::from_utf8_lossy(&bytes).into())
}
