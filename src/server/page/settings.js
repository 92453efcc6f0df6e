// SPDX-License-Identifier: Apache-2.0
// @ts-check
import { $, make, say } from "./elements.js";

/** @import { RoutePolicy, Server } from "./server.js" */

/** The models that the server has, of which a person chooses, and the policies that it follows. */
export class Settings {
  /** @param {Server} server @param {() => void} changed */
  constructor(server, changed) {
    this.server = server;
    this.changed = changed;
    $("settings").addEventListener("change", () => this.#chosen());
  }

  /** The models that were chosen, empty where there is none: one for whole messages, one for tokens. */
  get models() {
    return { gen: $("gen-model").value, stream: $("stream-model").value };
  }

  /** Asks the server what it has. */
  async load() {
    const [models, policies] = await Promise.all([this.server.get("v1/models"), this.server.get("v1/policies")]);
    this.#offerModels(models.data);
    this.#showPolicies(policies.data);
  }

  /** @param {{id: string, qwen3guard?: {kind?: string}}[]} models */
  #offerModels(models) {
    const ids = (/** @type {string} */ kind) => models.filter((model) => model.qwen3guard?.kind === kind).map(({ id }) => id);
    offer($("gen-model"), ids("gen"));
    offer($("stream-model"), ids("stream"));
    $("nano-note").hidden = !models.some(({ id }) => id.startsWith("nano-"));
    this.#chosen();
  }

  /** Routes that follow the same policy share its description. @param {RoutePolicy[]} policies */
  #showPolicies(policies) {
    /** @type {Map<string, {routes: string[], policy: RoutePolicy}>} */
    const groups = new Map();
    for (const policy of policies) {
      const key = JSON.stringify([policy.name, policy.version, policy.description]);
      const group = groups.get(key) ?? { routes: [], policy };
      groups.set(key, { routes: [...group.routes, policy.route], policy });
    }
    $("policy-words").replaceChildren(...Array.from(groups.values()).flatMap(({ routes, policy }) =>
      [make("p", "policy-name", `Policy for ${routes.join(", ")}`), make("pre", "", policy.description.trim())]));
  }

  #chosen() {
    const { gen, stream } = this.models;
    $("live").disabled = !stream;
    say($("settings-now"), [gen, stream].filter(Boolean).join(", ") || "none");
    this.changed();
  }
}

/** Offers models, or none of them; the choice stays where it can. @param {HTMLSelectElement} select @param {string[]} names */
function offer(select, names) {
  const before = select.value;
  select.replaceChildren(...names.map((name) => new Option(name, name)), new Option(names.length ? "none" : "none on this server", ""));
  if (names.includes(before)) select.value = before;
}
