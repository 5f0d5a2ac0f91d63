// Tries whether what a model computes for a token depends on anything but the tokens before it:
// `try-engine FOLDER MODEL [--schedules N] [--seed N] [--keys f16|q8_0] [--as TYPE]`. FOLDER has the library and the kernels to
// take. Random schedules: alone and beside up to seven others, prompts read in portions of any length, with guesses at the
// next tokens and without, on states that are cut, copied or saved, with one to three threads. The logits of every row have to be
// bit by bit those of the same tokens alone, cold, and on one thread. Ends with 1 where they are not.
// `--as`: the model is quantized to this type before. Prints `equal ROWS` at the end.
// `try-engine FOLDER MODEL --logits FILE TEXT [--portion N]`: writes the logits of every token of a text, which is read in portions
// of so many tokens: floats, one token after the other. Prints `tokens N, vocabulary N, perplexity X`.

#include "ggml-backend.h"
#include "llama.h"

#include <dirent.h>
#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

[[noreturn]] static void give_up(const std::string & why) {
    fprintf(stderr, "%s\n", why.c_str());
    exit(2);
}

// ---- the library --------------------------------------------------------------------------------------------------------

// It comes with the kernels that are tried, and its files' names have its version in them.
struct Library {
    void * llama;
    void * ggml;

    explicit Library(const std::string & folder) : llama(open(folder, "libllama.")), ggml(open(folder, "libggml.")) {
        get<decltype(ggml_backend_load_all_from_path)>(ggml, "ggml_backend_load_all_from_path")(folder.c_str());
    }

    template <typename Function>
    static Function * get(void * library, const char * name) {
        void * symbol = dlsym(library, name);
        if (!symbol) {
            give_up(std::string("the library has no ") + name);
        }
        return (Function *) symbol;
    }

    static void * open(const std::string & folder, const std::string & start) {
        std::string found;
        if (DIR * directory = opendir(folder.c_str())) {
            while (const dirent * entry = readdir(directory)) {
                if (std::string(entry->d_name).compare(0, start.size(), start) == 0) {
                    found = folder + "/" + entry->d_name;
                }
            }
            closedir(directory);
        }
        void * library = found.empty() ? nullptr : dlopen(found.c_str(), RTLD_NOW | RTLD_GLOBAL);
        if (!library) {
            give_up(found.empty() ? "no " + start + " in " + folder : dlerror());
        }
        return library;
    }
};

static Library * library;

// Calls a function of the library by its declaration.
#define CALL(name) (Library::get<decltype(name)>(library->llama, #name))

static uint64_t state = 1;

static uint32_t random_bits() {
    state = state*6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t) (state >> 33);
}

static int random_below(int n) {
    return (int) (random_bits() % (uint32_t) n);
}

// ---- a model ------------------------------------------------------------------------------------------------------------

static llama_model * load(const std::string & path) {
    llama_model_params params = CALL(llama_model_default_params)();
    params.n_gpu_layers = 0;
    llama_model * model = CALL(llama_model_load_from_file)(path.c_str(), params);
    if (!model) {
        give_up("no model: " + path);
    }
    return model;
}

static const std::map<std::string, llama_ftype> file_types = {
    { "F16", LLAMA_FTYPE_MOSTLY_F16 },   { "BF16", LLAMA_FTYPE_MOSTLY_BF16 }, { "F32", LLAMA_FTYPE_ALL_F32 },
    { "Q4_0", LLAMA_FTYPE_MOSTLY_Q4_0 }, { "Q4_1", LLAMA_FTYPE_MOSTLY_Q4_1 }, { "Q5_0", LLAMA_FTYPE_MOSTLY_Q5_0 },
    { "Q5_1", LLAMA_FTYPE_MOSTLY_Q5_1 }, { "Q8_0", LLAMA_FTYPE_MOSTLY_Q8_0 }, { "Q2_K", LLAMA_FTYPE_MOSTLY_Q2_K },
    { "Q3_K", LLAMA_FTYPE_MOSTLY_Q3_K_M }, { "Q4_K", LLAMA_FTYPE_MOSTLY_Q4_K_S }, { "Q5_K", LLAMA_FTYPE_MOSTLY_Q5_K_S },
    { "Q6_K", LLAMA_FTYPE_MOSTLY_Q6_K }, { "IQ4_NL", LLAMA_FTYPE_MOSTLY_IQ4_NL }, { "IQ4_XS", LLAMA_FTYPE_MOSTLY_IQ4_XS },
    { "MXFP4", LLAMA_FTYPE_MOSTLY_MXFP4_MOE },
};

// The same model with all matrices in one type, as a file beside it that is gone when it is loaded.
static llama_model * load_as(const std::string & path, const std::string & type) {
    const auto found = file_types.find(type);
    if (found == file_types.end()) {
        give_up("no type " + type);
    }
    const char * temporary = getenv("TMPDIR");
    const std::string copy = std::string(temporary ? temporary : "/tmp") + "/try-engine-" + std::to_string(getpid()) + ".gguf";
    llama_model_quantize_params params = CALL(llama_model_quantize_default_params)();
    params.ftype            = found->second;
    params.allow_requantize = true;
    params.pure             = true;
    params.nthread          = 1;
    if (CALL(llama_model_quantize)(path.c_str(), copy.c_str(), &params) != 0) {
        give_up("the model could not be quantized to " + type);
    }
    llama_model * model = load(copy);
    unlink(copy.c_str());
    return model;
}

struct Settings {
    ggml_type keys    = GGML_TYPE_F16;
    int       portion = 256;  // tokens of a text that are read at once
};

static const int most_slots     = 8;
static const int context_tokens = 512;
static const int batch_tokens   = 256;

static llama_context * open_context(llama_model * model, const Settings & settings, int slots, int tokens = context_tokens) {
    llama_context_params params = CALL(llama_context_default_params)();
    params.n_ctx           = (uint32_t) (tokens*slots);
    params.n_batch         = batch_tokens;
    params.n_ubatch        = batch_tokens;
    params.n_seq_max       = (uint32_t) slots;
    params.type_k          = settings.keys;
    params.type_v          = settings.keys;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
    llama_context * context = CALL(llama_init_from_model)(model, params);
    if (!context) {
        give_up("no context");
    }
    return context;
}

// The rows of one call: those of a sequence stand together, sequences in ascending order.
struct Batch {
    std::vector<llama_token>    tokens;
    std::vector<llama_pos>      positions;
    std::vector<llama_seq_id>   sequences;
    std::vector<int8_t>         wanted;

    void add(llama_token token, int position, int sequence, bool is_wanted) {
        tokens.push_back(token);
        positions.push_back(position);
        sequences.push_back(sequence);
        wanted.push_back(is_wanted);
    }

    void decode(llama_context * context, int threads) {
        const int n = (int) tokens.size();
        std::vector<int32_t>        counts(n, 1);
        std::vector<llama_seq_id *> ids(n);
        for (int i = 0; i < n; i++) {
            ids[i] = &sequences[i];
        }
        llama_batch batch = { n, tokens.data(), nullptr, positions.data(), counts.data(), ids.data(), wanted.data() };
        CALL(llama_set_n_threads)(context, threads, threads);
        const int32_t status = CALL(llama_decode)(context, batch);
        if (status != 0) {
            give_up("a call failed: " + std::to_string(status));
        }
    }
};

// ---- conversations ------------------------------------------------------------------------------------------------------

struct Conversation {
    std::vector<llama_token>        tokens;  // the prompt, and what is answered
    int                             prompt;
    std::vector<std::vector<float>> rows;    // logits behind tokens prompt - 1 and later, alone and cold
};

static std::vector<Conversation> make_conversations(int vocabulary) {
    std::vector<Conversation> conversations;
    const int prompts[] = { 3, 17, 64, 65, 130, 200, 261, 300, 90, 333 };
    for (const int prompt : prompts) {
        Conversation made;
        made.prompt = prompt;
        const int total = prompt + 10 + random_below(30);
        // Every second one goes on where the one before it stands in the middle of its prompt.
        if (conversations.size() % 2 == 1) {
            const Conversation & before = conversations.back();
            const int shared = std::min(before.prompt, prompt)*2/3;
            made.tokens.assign(before.tokens.begin(), before.tokens.begin() + shared);
        }
        while ((int) made.tokens.size() < total) {
            made.tokens.push_back(random_below(vocabulary));
        }
        conversations.push_back(made);
    }
    return conversations;
}

static void compute_alone(llama_model * model, const Settings & settings, Conversation & conversation, int vocabulary) {
    llama_context * context = open_context(model, settings, 1);
    int done = 0;
    while (done < (int) conversation.tokens.size()) {
        Batch batch;
        const int count = done < conversation.prompt ? std::min(batch_tokens, conversation.prompt - done) : 1;
        for (int i = 0; i < count; i++) {
            batch.add(conversation.tokens[done + i], done + i, 0, done + i >= conversation.prompt - 1);
        }
        batch.decode(context, 1);
        done += count;
        if (done >= conversation.prompt) {
            const float * row = CALL(llama_get_logits_ith)(context, -1);
            conversation.rows.emplace_back(row, row + vocabulary);
        }
    }
    CALL(llama_free)(context);
}

static int shared_length(const std::vector<llama_token> & a, const std::vector<llama_token> & b) {
    size_t i = 0;
    while (i < a.size() && i < b.size() && a[i] == b[i]) {
        i++;
    }
    return (int) i;
}

// ---- schedules ----------------------------------------------------------------------------------------------------------

struct Slot {
    const Conversation *     conversation = nullptr;  // none: idle
    std::vector<llama_token> held;                    // tokens whose state it has
    std::vector<uint8_t>     saved;                   // in the middle of a prompt
    std::vector<llama_token> saved_tokens;
};

struct Tally {
    long   rows      = 0;
    long   different = 0;
    double largest   = 0;
    std::string first;
};

class Schedule {
  public:
    Schedule(llama_model * model, const Settings & settings, const std::vector<Conversation> & conversations, int vocabulary, Tally & tally) :
        conversations(conversations), vocabulary(vocabulary), tally(tally), slots(1 + random_below(most_slots)) {
        context = open_context(model, settings, (int) slots.size());
        memory  = CALL(llama_get_memory)(context);
        // Where a state runs, what is refuted cannot be taken back, and states are only kept as a whole. A window that slides stands
        // in another place when it is put back, and its keys are added from there.
        can_restore = CALL(llama_model_n_swa)(model) == 0;
        can_cut     = can_restore && !CALL(llama_model_is_recurrent)(model) && !CALL(llama_model_is_hybrid)(model);
    }

    ~Schedule() { CALL(llama_free)(context); }

    void play(int runs) {
        while (true) {
            for (size_t i = 0; i < slots.size() && runs > 0; i++) {
                if (!slots[i].conversation && random_below(3) > 0) {
                    start((int) i);
                    runs--;
                }
            }
            const bool is_idle = std::all_of(slots.begin(), slots.end(), [](const Slot & slot) { return !slot.conversation; });
            if (is_idle && runs == 0) {
                return;
            }
            step();
        }
    }

  private:
    const std::vector<Conversation> & conversations;
    const int         vocabulary;
    Tally &           tally;
    std::vector<Slot> slots;
    llama_context *   context;
    llama_memory_t    memory;
    bool              can_restore;
    bool              can_cut;

    void cut(int i, int length) {
        if (!CALL(llama_memory_seq_rm)(memory, i, length == 0 ? -1 : length, -1)) {
            give_up("a state could not be cut");
        }
        slots[i].held.resize(length);
    }

    // Gives a conversation to a slot, with as much of a state as there is and chance wants
    void start(int i) {
        Slot & slot = slots[i];
        const Conversation & next = conversations[random_below((int) conversations.size())];
        slot.conversation = &next;
        const int most = next.prompt - 1;
        const int way  = random_below(4);
        if (way == 0 && !slot.saved.empty()) {
            const int shared = shared_length(slot.saved_tokens, next.tokens);
            const bool is_whole = shared == (int) slot.saved_tokens.size() && shared <= most;
            if (is_whole || (can_cut && shared > 0)) {
                cut(i, 0);
                if (CALL(llama_state_seq_set_data)(context, slot.saved.data(), slot.saved.size(), i) == 0) {
                    give_up("a state could not be restored");
                }
                slot.held = slot.saved_tokens;
                if (!is_whole) {
                    cut(i, std::min(shared, most));
                }
                return;
            }
        }
        if (way == 1 && can_cut) {
            int from = random_below((int) slots.size());
            const int shared = std::min(shared_length(slots[from].held, next.tokens), most);
            if (from != i && shared > 0) {
                cut(i, 0);
                CALL(llama_memory_seq_cp)(memory, from, i, -1, -1);
                slot.held = slots[from].held;
                cut(i, shared);
                return;
            }
        }
        const int shared = way == 2 && can_cut ? std::min(shared_length(slot.held, next.tokens), most) : 0;
        cut(i, shared);
    }

    static int portion() {
        switch (random_below(5)) {
            case 0:  return 1 + random_below(4);
            case 1:  return 4 + random_below(28);
            case 2:  return 32 + random_below(33);
            case 3:  return 64;
            default: return 65 + random_below(136);
        }
    }

    void step() {
        Batch batch;
        struct Part { int slot, first, count, right; };
        std::vector<Part> parts;
        for (size_t i = 0; i < slots.size(); i++) {
            const Slot & slot = slots[i];
            const int    room = batch_tokens - (int) batch.tokens.size();
            if (!slot.conversation || room < most_guesses + 1 || random_below(8) == 0) {
                continue;
            }
            const Conversation & conversation = *slot.conversation;
            const int done  = (int) slot.held.size();
            Part      part  = { (int) i, (int) batch.tokens.size(), 1, 1 };
            if (done < conversation.prompt) {
                part.count = part.right = std::min({ portion(), room, conversation.prompt - done });
            } else if (can_cut && random_below(2) == 0) {
                part.count = std::min(2 + random_below(most_guesses), context_tokens - done);
                part.right = std::min({ 1 + random_below(part.count), (int) conversation.tokens.size() - done });
            }
            for (int at = 0; at < part.count; at++) {
                const llama_token token = at < part.right ? conversation.tokens[done + at] : random_below(vocabulary);
                batch.add(token, done + at, (int) i, done + at >= conversation.prompt - 1);
            }
            parts.push_back(part);
        }
        if (parts.empty()) {
            return;
        }
        // Threads wait for each other, where more are running than there are processors for long
        const int chance = random_below(100);
        batch.decode(context, chance == 0 ? 3 : chance < 8 ? 2 : 1);
        for (const Part & part : parts) {
            finish(part.slot, part.first, part.count, part.right);
        }
    }

    // Compares the rows of a slot, and takes back what was guessed wrongly
    void finish(int i, int first, int count, int right) {
        Slot & slot = slots[i];
        const Conversation & conversation = *slot.conversation;
        for (int at = 0; at < right; at++) {
            const int position = (int) slot.held.size();
            slot.held.push_back(conversation.tokens[position]);
            if (position >= conversation.prompt - 1) {
                compare(conversation, position, CALL(llama_get_logits_ith)(context, first + at), count);
            }
        }
        if (right < count) {
            cut(i, (int) slot.held.size());
        }
        if (can_restore && (int) slot.held.size() < conversation.prompt && random_below(3) == 0) {
            slot.saved.resize(CALL(llama_state_seq_get_size)(context, i));
            CALL(llama_state_seq_get_data)(context, slot.saved.data(), slot.saved.size(), i);
            slot.saved_tokens = slot.held;
        }
        if (slot.held.size() == conversation.tokens.size()) {
            slot.conversation = nullptr;
        }
    }

    void compare(const Conversation & conversation, int position, const float * row, int count) {
        const std::vector<float> & alone = conversation.rows[position - conversation.prompt + 1];
        tally.rows++;
        if (memcmp(row, alone.data(), alone.size()*sizeof(float)) == 0) {
            return;
        }
        for (size_t i = 0; i < alone.size(); i++) {
            tally.largest = std::max(tally.largest, (double) fabsf(row[i] - alone[i]));
        }
        if (tally.different++ == 0) {
            tally.first = "token " + std::to_string(position) + " of a prompt of " + std::to_string(conversation.prompt) + ", " +
                          std::to_string(count) + " rows of it in the call, " + std::to_string(slots.size()) + " slots";
        }
    }

    static const int most_guesses = 7;
};

// ---- logits of a text ---------------------------------------------------------------------------------------------------

static int write_logits(llama_model * model, const Settings & settings, const char * to, const char * text_file, int vocabulary) {
    std::ifstream      in(text_file);
    std::ostringstream text;
    text << in.rdbuf();
    const std::string        words = text.str();
    const llama_vocab *      vocab = CALL(llama_model_get_vocab)(model);
    std::vector<llama_token> tokens(words.size() + 8);
    tokens.resize(std::max(CALL(llama_tokenize)(vocab, words.data(), (int32_t) words.size(), tokens.data(), (int32_t) tokens.size(), true, false), 0));
    const int       total   = (int) tokens.size();
    llama_context * context = open_context(model, settings, 1, (total + 255)/256*256);
    std::ofstream   out(to, std::ios::binary);
    double          loss = 0;
    for (int done = 0; done < total; done += settings.portion) {
        Batch batch;
        for (int at = done; at < std::min(done + settings.portion, total); at++) {
            batch.add(tokens[at], at, 0, true);
        }
        batch.decode(context, 1);
        for (int at = done; at < std::min(done + settings.portion, total); at++) {
            const float * row = CALL(llama_get_logits_ith)(context, at - done);
            out.write((const char *) row, vocabulary*sizeof(float));
            if (at + 1 < total) {
                const float largest = *std::max_element(row, row + vocabulary);
                double      sum     = 0;
                for (int i = 0; i < vocabulary; i++) {
                    sum += exp((double) row[i] - largest);
                }
                loss += log(sum) + largest - row[tokens[at + 1]];
            }
        }
    }
    printf("tokens %d, vocabulary %d, perplexity %.9g\n", total, vocabulary, exp(loss/(total - 1)));
    return out.good() ? 0 : 1;
}

// -------------------------------------------------------------------------------------------------------------------------

static void say_errors(ggml_log_level level, const char * text, void *) {
    if (level == GGML_LOG_LEVEL_ERROR) {
        fputs(text, stderr);
    }
}

int main(int count, char ** words) {
    if (count < 3) {
        give_up("try-engine FOLDER MODEL [--schedules N] [--seed N] [--keys f16|q8_0] [--as TYPE] [--logits FILE TEXT [--portion N]]");
    }
    Settings     settings;
    int          schedules = 6;
    uint64_t     seed      = 1;
    std::string  type;
    const char * logits = nullptr;
    const char * text   = nullptr;
    for (int i = 3; i + 1 < count; i += 2) {
        const std::string option = words[i];
        const char *      value  = words[i + 1];
        if (option == "--schedules") {
            schedules = atoi(value);
        } else if (option == "--seed") {
            seed = strtoull(value, nullptr, 10);
        } else if (option == "--keys") {
            settings.keys = std::string(value) == "q8_0" ? GGML_TYPE_Q8_0 : GGML_TYPE_F16;
        } else if (option == "--portion") {
            settings.portion = std::max(1, std::min(atoi(value), batch_tokens));
        } else if (option == "--as") {
            type = value;
        } else if (option == "--logits" && i + 2 < count) {
            logits = value;
            text   = words[++i + 1];
        } else {
            give_up("what is " + option + "?");
        }
    }
    library = new Library(words[1]);
    CALL(llama_log_set)(say_errors, nullptr);
    llama_model * model      = type.empty() ? load(words[2]) : load_as(words[2], type);
    const int     vocabulary = CALL(llama_vocab_n_tokens)(CALL(llama_model_get_vocab)(model));
    if (logits) {
        return write_logits(model, settings, logits, text, vocabulary);
    }
    state = seed;
    std::vector<Conversation> conversations = make_conversations(vocabulary);
    for (Conversation & conversation : conversations) {
        compute_alone(model, settings, conversation, vocabulary);
    }
    Tally tally;
    for (int i = 0; i < schedules; i++) {
        Schedule(model, settings, conversations, vocabulary, tally).play(12);
    }
    if (tally.different > 0) {
        printf("different %ld of %ld rows, by up to %.3g; the first: %s\n", tally.different, tally.rows, tally.largest, tally.first.c_str());
        return 1;
    }
    printf("equal %ld\n", tally.rows);
    return 0;
}
