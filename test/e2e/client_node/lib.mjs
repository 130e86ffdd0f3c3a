// test/e2e/client_node/lib.mjs: what the checks share: how one is made and told, waiting, the client.
// Each check prints one line: "ok", a tab and its name; or "FAIL", its name and what went wrong, its lines
// parted by vertical tabs.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const require = createRequire(`${process.argv[2]}/`);
export const k8s = await import(require.resolve('@kubernetes/client-node'));
export const namespace = 'client-node';
export const image = 'coracle.local/sample:1';
export const { MergePatch, StrategicMergePatch, JsonPatch, ServerSideApply } = k8s.PatchStrategy;

// ---- Checks ----------------------------------------------------------------------------------------------

function print(status, name, detail = '') {
    fs.writeSync(1, `${status}\t${name}\t${detail.replaceAll('\t', ' ').replaceAll('\n', '\v')}\n`);
}

// What went wrong, with the body of an answer that the server gave.
export function explain(error) {
    return (error?.stack ?? String(error)) + (error?.body ? `\n${JSON.stringify(error.body)}` : '');
}

export async function check(name, run) {
    const late = new AbortController();

    try {
        await Promise.race([
            run(),
            sleep(15000, undefined, { signal: late.signal }).then(() => assert.fail('out of time')),
        ]);
        print('ok', name);
    } catch (error) {
        print('FAIL', name, explain(error));
    }
    late.abort();
}

// Until what is asked is true; anything thrown meanwhile counts as not yet.
export async function until(what, asked, seconds = 10) {
    const deadline = Date.now() + seconds * 1000;
    let last;

    for (;;) {
        try {
            last = await asked();
            if (last) {
                return last;
            }
        } catch (error) {
            last = explain(error);
        }
        assert.ok(Date.now() < deadline, `never: ${what} (last: ${JSON.stringify(last)})`);
        await sleep(20);
    }
}

// The Status with which a call was refused: its code and reason are what is wanted.
export async function refused(code, reason, call) {
    let error;

    try {
        await call();
    } catch (caught) {
        error = caught;
    }
    assert.ok(error, `was not refused; wanted ${code} ${reason}`);
    assert.ok(error instanceof k8s.ApiException, explain(error));
    assert.equal(error.code, code, explain(error));
    const status = typeof error.body === 'string' ? JSON.parse(error.body) : error.body;
    assert.equal(status.kind, 'Status');
    assert.equal(status.status, 'Failure');
    assert.equal(status.code, code);
    assert.equal(status.reason, reason);
    return status;
}

// ---- The client ------------------------------------------------------------------------------------------

export function configFor(context) {
    const config = new k8s.KubeConfig();

    config.loadFromFile(process.env.KUBECONFIG);
    config.setCurrentContext(context);
    return config;
}

export const config = configFor('head-1');
export const core = config.makeApiClient(k8s.CoreV1Api);
export const apps = config.makeApiClient(k8s.AppsV1Api);
export const objects = k8s.KubernetesObjectApi.makeApiClient(config);
export const patchAs = (strategy) => k8s.setHeaderOptions('Content-Type', strategy);

export function configMap(name, data, labels) {
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data };
}

export function pod(name, command, more = {}) {
    return {
        metadata: { name, namespace, labels: { run: name } },
        spec: {
            terminationGracePeriodSeconds: 0,
            containers: [{ name: 'c', image, ...(command && { command }), ...more }],
        },
    };
}

export const CONFIG_MAPS = `/api/v1/namespaces/${namespace}/configmaps`;
