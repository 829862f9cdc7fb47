// iam-simulate: the policies of a workload are the one policy of the resource.
// They are validated in every decision; the library's entry without validation
// cannot read resource policies in this version. Lines on standard input ask; see ../README.md.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const ACCOUNT = '111122223333'

let workload

function simulation(request) {
    return {
        request: {
            principal: request.principal,
            action: request.action,
            resource: { resource: request.resource, accountId: ACCOUNT },
            contextVariables: workload.ranged ? { 'aws:SourceIp': request.ip } : {},
        },
        identityPolicies: [],
        serviceControlPolicies: [],
        resourceControlPolicies: [],
        resourcePolicy: workload.policy,
    }
}

async function decide(number) {
    const result = await runSimulation(simulation(workload.requests[number]), {})
    if (result.resultType !== 'single') {
        throw new Error(JSON.stringify(result.errors ?? result.resultType))
    }
    return result.overallResult === 'Allowed'
}

function load(path) {
    const read = JSON.parse(readFileSync(path, 'utf8'))
    workload = {
        requests: read.requests,
        ranged: read.rules.some((rule) => rule.ranges.length > 0),
        policy: {
            Version: '2012-10-17',
            Statement: read.policies.flatMap((policy) => policy.Statement),
        },
    }
    return 'ok'
}

async function answers(form) {
    if (form !== 'texts') {
        return 'none'
    }
    let bits = ''
    for (let i = 0; i < workload.requests.length; i++) {
        bits += (await decide(i)) ? '1' : '0'
    }
    return `answers ${bits}`
}

function cpu() {
    const spent = process.cpuUsage()
    return (spent.user + spent.system) * 1000
}

async function round(count) {
    let allowed = 0
    const spent = cpu(), start = process.hrtime.bigint()
    for (let i = 0; i < count; i++) {
        allowed += (await decide(i % workload.requests.length)) ? 1 : 0
    }
    return `round ${cpu() - spent} ${process.hrtime.bigint() - start} ${allowed}`
}

async function answer(words) {
    switch (words[0]) {
    case 'load': return load(words[1])
    case 'answers': return await answers(words[1])
    case 'round': return await round(Number(words[2]))
    default: throw new Error(`cannot do ${words}`)
    }
}

const lock = JSON.parse(readFileSync(new URL('package-lock.json', import.meta.url), 'utf8'))
console.log('hello ' + JSON.stringify({
    engine: 'iam-simulate',
    version: lock.packages['node_modules/@cloud-copilot/iam-simulate'].version,
    runtime: 'Node.js ' + process.version,
}))
for await (const line of createInterface({ input: process.stdin })) {
    try {
        console.log(await answer(line.split(' ')))
    } catch (error) {
        console.log('error ' + String(error.message).replaceAll('\n', ' ').slice(0, 300))
    }
}
