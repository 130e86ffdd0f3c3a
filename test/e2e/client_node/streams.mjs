// test/e2e/client_node/streams.mjs: exec, cp, attach, port-forward, logs, proxy, eviction of running pods.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { PassThrough } from 'node:stream';
import { check, config, core, k8s, namespace, pod, refused, until } from './lib.mjs';

// A stream that keeps what is written to it.
function collector() {
    const stream = new PassThrough();

    stream.text = '';
    stream.on('data', (data) => {
        stream.text += data;
    });
    return stream;
}

function source(...lines) {
    const stream = new PassThrough();

    lines.forEach((line) => stream.write(line));
    return stream;
}

// A command in the pod "shell", with what it said and how it ended.
async function run(command, stdin = null, tty = false) {
    const out = collector();
    const err = collector();
    let status;

    const socket = await new k8s.Exec(config).exec(
        namespace,
        'shell',
        'c',
        command,
        out,
        tty ? null : err,
        stdin,
        tty,
        (ended) => {
            status = ended;
        },
    );
    await until('its status', () => status);
    socket.close();
    return { out: out.text, err: err.text, status };
}

export async function execs() {
    await check('exec: what it says on both streams, and success', async () => {
        const done = await run(['sh', '-c', 'echo out; echo err >&2']);
        assert.deepEqual([done.out, done.err, done.status.status], ['out\n', 'err\n', 'Success']);
    });
    await check('exec: exit status', async () => {
        const { status } = await run(['sh', '-c', 'exit 7']);
        assert.deepEqual([status.status, status.reason], ['Failure', 'NonZeroExitCode']);
        assert.deepEqual(status.details.causes, [{ reason: 'ExitCode', message: '7' }]);
    });
    await check('exec: standard input to its end', async () => {
        const stdin = source('one\n', 'two\n');
        stdin.end();
        const { out, status } = await run(['wc', '-l'], stdin);
        assert.deepEqual([out.trim(), status.status], ['2', 'Success']);
    });
    await check('exec: a megabyte through and back', async () => {
        const stdin = source('x'.repeat(1 << 20));
        stdin.end();
        const { out } = await run(['cat'], stdin);
        assert.equal(out.length, 1 << 20);
    });
    await check('exec: a terminal and its size', async () => {
        const out = Object.assign(collector(), { rows: 33, columns: 77 });
        let status;
        const socket = await new k8s.Exec(config).exec(
            namespace,
            'shell',
            'c',
            ['sh', '-c', 'sleep 0.3; tty; stty size'],
            out,
            null,
            source(),
            true,
            (ended) => {
                status = ended;
            },
        );
        await until('its status', () => status);
        assert.match(out.text, /\/dev\/pts\/\d+\r\n33 77\r\n/);
        socket.close();
    });
    await check('exec: a command that is not there', async () => {
        const { status } = await run(['/no/such/command']);
        assert.equal(status.status, 'Failure');
    });
    await check('exec in a container that is not there', async () => {
        await assert.rejects(
            new k8s.Exec(config).exec(namespace, 'shell', 'nope', ['true'], null, null, null, false),
        );
    });
    await check('cp to a pod', async () => {
        const sent = `${process.env.SCRATCH}/sent`;
        fs.mkdirSync(sent);
        fs.writeFileSync(`${sent}/letter`, 'dear pod\n');
        await new k8s.Cp(config).cpToPod(namespace, 'shell', 'c', sent, '/tmp');
        await until('it has come', async () => (await run(['cat', '/tmp/letter'])).out === 'dear pod\n');
    });
}

export async function streams() {
    await check('attach: says what the process says, hears what we say', async () => {
        const out = collector();
        const socket = await new k8s.Attach(config).attach(
            namespace,
            'echo',
            'c',
            out,
            null,
            source('hello\n'),
            false,
        );
        await until('the echo', () => out.text.includes('heard hello\n'));
        socket.close();
    });
    await check('port-forward: a request through it', async () => {
        const out = collector();
        const err = collector();
        const socket = await new k8s.PortForward(config).portForward(
            namespace,
            'web',
            [8080],
            out,
            err,
            source('GET / HTTP/1.0\r\n\r\n'),
        );
        await until('the page', () => /^HTTP\/1\.\d 200[^]*version 1/.test(out.text));
        assert.equal(err.text, '');
        socket.close();
    });
    await check('port-forward to a port where nobody listens: the error stream says so', async () => {
        const err = collector();
        const socket = await new k8s.PortForward(config, false).portForward(
            namespace,
            'web',
            [9],
            collector(),
            err,
            source('x'),
        );
        await until('the error', () => err.text.length > 0);
        socket.close();
    });
    await check('logs: all, the last, followed', async () => {
        assert.match(await core.readNamespacedPodLog({ namespace, name: 'counting' }), /^line 1\nline 2\n/);
        assert.match(
            await core.readNamespacedPodLog({ namespace, name: 'counting', tailLines: 1 }),
            /^line \d+\n$/,
        );
        const out = collector();
        const controller = await new k8s.Log(config).log(namespace, 'counting', 'c', out, {
            follow: true,
            tailLines: 2,
            timestamps: true,
        });
        await until('five lines', () => out.text.split('\n').length > 5);
        const lines = out.text
            .trimEnd()
            .split('\n')
            .map((line) => /^\d{4}-[\d:.T-]+Z line (\d+)$/.exec(line));
        assert.ok(lines.every(Boolean), out.text);
        lines.reduce(
            (before, [, n]) => (assert.equal(Number(n), before + 1), Number(n)),
            Number(lines[0][1]) - 1,
        );
        controller.abort();
    });
    await check('logs of a container that is not there', async () => {
        await refused(400, 'BadRequest', () =>
            core.readNamespacedPodLog({ namespace, name: 'counting', container: 'nope' }),
        );
    });
    await check('proxy to a pod', async () => {
        assert.match(
            await core.connectGetNamespacedPodProxyWithPath({ namespace, name: 'web:8080', path: '' }),
            /version 1/,
        );
    });
    await check('eviction', async () => {
        const name = 'counting';
        await core.createNamespacedPodEviction({ namespace, name, body: { metadata: { name, namespace } } });
        await until('it is gone', () =>
            refused(404, 'NotFound', () => core.readNamespacedPod({ namespace, name })),
        );
    });
}
