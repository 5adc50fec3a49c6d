/** Pieces of plans that more than one example is made of. */

/** Arms a timer beside whatever the plan waits for, and ends the plan when it fires; without the commas around them. */
export const RACE_STEPS = `{ "id": "arm", "op": "emit_effect", "kind": "timer.set", "cap": "cap_timer", "params": { "deliver_at_ns": { "ref": "@plan.input.deadline_ns" } }, "bind": { "effect_id_as": "timer" } },
            { "id": "rang", "op": "await_receipt", "for": { "ref": "@var:timer" }, "bind": { "as": "alarm" } },
            { "id": "late", "op": "end" }`;

export const RACE_EDGES = `{ "from": "arm", "to": "rang" },
            { "from": "rang", "to": "late", "when": { "op": "eq", "args": [{ "ref": "@var:alarm.$status" }, { "text": "ok" }] } }`;
