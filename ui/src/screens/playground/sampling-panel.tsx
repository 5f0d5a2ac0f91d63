import { Button } from '../../parts/button.tsx';
import { SelectField, TextField } from '../../parts/field.tsx';
import { noSampling, type Sampling, sampling, toolsOf } from './chat-state.ts';

const example = `[{
  "type": "function",
  "function": {
    "name": "switch_light",
    "description": "Switches a light on or off.",
    "parameters": {
      "type": "object",
      "properties": { "room": { "type": "string" }, "on": { "type": "boolean" } },
      "required": ["room", "on"]
    }
  }
}]`;

/** How answers are made; left empty, all is as the model and the server have it. */
export function SamplingPanel() {
  const now = sampling.value;
  const change = (changed: Partial<Sampling>) => {
    sampling.value = { ...now, ...changed };
  };
  const changed = Object.keys(now).filter((name) => now[name as keyof Sampling] !== noSampling[name as keyof Sampling]);
  const number = (name: 'temperature' | 'topP' | 'maxTokens' | 'seed', label: string, placeholder: string) => (
    <TextField
      label={label}
      value={now[name]}
      placeholder={placeholder}
      onChange={(value) => change({ [name]: value })}
      wrong={now[name].trim() !== '' && Number.isNaN(Number(now[name])) ? 'must be a number' : null}
    />
  );
  return (
    <details class="fold sampling">
      <summary>Settings{changed.length > 0 && ` (${changed.length} changed)`}</summary>
      <div class="stack sampling-fields">
        <TextField
          label="Instructions"
          rows={2}
          value={now.system}
          placeholder="You answer in one sentence."
          onChange={(system) => change({ system })}
        />
        <div class="sampling-numbers">
          {number('temperature', 'Temperature', '0 to 2')}
          {number('topP', 'Top p', '0 to 1')}
          {number('maxTokens', 'Most tokens', 'no limit')}
          {number('seed', 'Seed', 'random')}
          <SelectField
            label="Thinking"
            value={now.thinks}
            onChange={(thinks) => change({ thinks })}
            options={[
              { value: 'default', text: 'as the model' },
              { value: 'yes', text: 'on' },
              { value: 'no', text: 'off' },
            ]}
          />
        </div>
        <TextField
          label="Tools"
          rows={now.tools === '' ? 2 : 8}
          isMono
          value={now.tools}
          placeholder={'[{"type": "function", …}]'}
          hint="A list in JSON, as OpenAI has it. What the model wants called is shown, and you say what comes of it."
          onChange={(tools) => change({ tools })}
          wrong={toolsOf(now) === null ? 'must be a list in JSON' : null}
        />
        {now.tools === '' && (
          <div class="row">
            <Button onPress={() => change({ tools: example })}>Take an example</Button>
          </div>
        )}
      </div>
    </details>
  );
}
