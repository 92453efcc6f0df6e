// SPDX-License-Identifier: Apache-2.0
// @ts-check
// Reads a conversation that was pasted: lines that begin with a role, or JSON.

import { count } from "./numbers.js";

/** @import { Message } from "./server.js" */

/** @typedef {{messages: Message[], note: string}} Pasted */

/** The messages of a pasted conversation; throws an Error that says what is wrong with it.
 * @param {string} text @returns {Pasted} */
export function parseConversation(text) {
  const trimmed = text.trim();
  if (!trimmed) throw new Error("Nothing was pasted.");
  const all = /^[[{]/.test(trimmed) ? messagesOfJson(trimmed) : messagesOfLines(trimmed);
  const messages = all.filter((message) => message.role === "user" || message.role === "assistant");
  const others = all.length - messages.length;
  if (messages.length === 0) throw new Error("No message of a user or an assistant was found.");
  const left = others ? ` ${count(others, "message")} of other roles left out: this page judges users and assistants.` : "";
  return { messages, note: `${count(messages.length, "turn")} taken over.${left}` };
}

/** @param {string} text @returns {Message[]} */
function messagesOfJson(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`This begins like JSON but cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  const list = Array.isArray(value) ? value : value.messages;
  if (!Array.isArray(list)) throw new Error('The JSON has no array "messages".');
  return list.map((message, i) => {
    if (typeof message?.role !== "string") throw new Error(`messages[${i}] has no "role".`);
    return { role: message.role, content: contentOf(message.content, i) };
  });
}

/** A message's content: a text, or a list of parts of text. @param {unknown} content @param {number} i */
function contentOf(content, i) {
  if (typeof content === "string") return content;
  const parts = Array.isArray(content) ? content : [null];
  return parts.map((part) => {
    if (typeof part?.text !== "string") throw new Error(`messages[${i}].content is not text.`);
    return part.text;
  }).join("");
}

/** @param {string} text @returns {Message[]} */
function messagesOfLines(text) {
  /** @type {Message[]} */
  const messages = [];
  for (const line of text.split(/\r\n|\r|\n/)) {
    const head = /^\s*(user|human|assistant|system)\s*:\s?(.*)$/i.exec(line);
    const last = messages[messages.length - 1];
    if (head) {
      const role = head[1].toLowerCase();
      messages.push({ role: role === "human" ? "user" : role, content: head[2] });
    } else if (last) {
      last.content += `\n${line}`;
    } else {
      throw new Error('The first line should begin with "User:" or "Assistant:".');
    }
  }
  return messages.map(({ role, content }) => ({ role, content: content.trim() }));
}
