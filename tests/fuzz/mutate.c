/* mutate.c - LLVMFuzzerCustomMutator() over lines: commands of the grammar come, go, move, and are spoilt. */
#include "fuzz/mutate.h"

#include <stdint.h>
#include <string.h>

enum { MUTATE_MOST = 2048, MUTATE_DEPTH = 8, MUTATE_STEPS = 3 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

typedef struct {
	uint8_t *data;
	size_t size, room;
	uint64_t random;
} Input;

typedef struct {
	uint8_t octets[MUTATE_MOST];
	size_t size;
} Piece;

typedef struct {
	size_t from, to;
} Line;

/* xorshift: the same seed makes the same input. */
static size_t
input_random(Input *input, size_t below)
{
	input->random ^= input->random << 13;
	input->random ^= input->random >> 7;
	input->random ^= input->random << 17;
	return below > 0 ? (size_t)((input->random >> 11) % below) : 0;
}

/* ---- pieces ---- */

static const FuzzRule *
grammar_choose(Input *input, char symbol)
{
	const FuzzRule *first = fuzz_grammar.rules;
	size_t n = 0;

	while (first->symbol != symbol && first->symbol != '\0')
		first++;
	while (first[n].symbol == symbol && symbol != '\0')
		n++;
	return n > 0 ? &first[input_random(input, n)] : NULL;
}

static void
piece_expand(Piece *piece, Input *input, char symbol, unsigned depth)
{
	const FuzzRule *rule = depth < MUTATE_DEPTH ? grammar_choose(input, symbol) : NULL;

	if (rule == NULL)
		return;
	for (const char *c = rule->text; *c != '\0' && piece->size < MUTATE_MOST; c++) {
		if (*c == '$' && c[1] != '\0')
			piece_expand(piece, input, *++c, depth + 1);
		else
			piece->octets[piece->size++] = (uint8_t)*c;
	}
}

static void
piece_copy(Piece *piece, const Input *input, Line line)
{
	piece->size = line.to - line.from < MUTATE_MOST ? line.to - line.from : MUTATE_MOST;
	memcpy(piece->octets, input->data + line.from, piece->size);
}

/* ---- lines ---- */

static size_t
input_line_end(const Input *input, size_t at)
{
	const uint8_t *lf = at < input->size ? memchr(input->data + at, '\n', input->size - at) : NULL;

	return lf != NULL ? (size_t)(lf - input->data) + 1 : input->size;
}

static Line
input_choose(Input *input)
{
	size_t n = 0, chosen, at = fuzz_grammar.head;

	for (size_t next = at; next < input->size; n++)
		next = input_line_end(input, next);
	chosen = input_random(input, n);
	while (chosen-- > 0)
		at = input_line_end(input, at);
	return (Line){ at, input_line_end(input, at) };
}

/* Puts `piece` where `line` is; what does not fit is left as it is. */
static void
input_replace(Input *input, Line line, const Piece *piece)
{
	const size_t size = input->size - (line.to - line.from) + piece->size;

	if (size > input->room)
		return;
	memmove(input->data + line.from + piece->size, input->data + line.to, input->size - line.to);
	memcpy(input->data + line.from, piece->octets, piece->size);
	input->size = size;
}

static void
input_swap(Input *input)
{
	Line a = input_choose(input), b = input_choose(input);
	Piece first, second;

	if (a.from > b.from) {
		const Line c = a;

		a = b;
		b = c;
	}
	piece_copy(&first, input, a);
	piece_copy(&second, input, b);
	if (a.from == b.from || first.size < a.to - a.from || second.size < b.to - b.from)
		return;
	input_replace(input, b, &first);
	input_replace(input, a, &second);
}

static void
input_spoil(Input *input, Line line)
{
	Piece piece;

	piece_copy(&piece, input, line);
	if (piece.size == 0)
		return;
	piece.size = LLVMFuzzerMutate(piece.octets, piece.size, MUTATE_MOST);
	input_replace(input, line, &piece);
}

static void
input_change(Input *input)
{
	const size_t choice = input_random(input, 10);
	const Line line = input_choose(input);
	Piece piece = { .size = 0 };

	switch (choice) {
	case 0:
	case 1:
	case 2:
		piece_expand(&piece, input, 'L', 0);
		input_replace(input, (Line){ line.from, choice == 2 ? line.to : line.from }, &piece);
		break;
	case 3:
		piece_expand(&piece, input, 'L', 0);
		input_replace(input, (Line){ input->size, input->size }, &piece);
		break;
	case 4:
		input_replace(input, line, &piece);
		break;
	case 5:
		piece_copy(&piece, input, line);
		input_replace(input, (Line){ line.from, line.from }, &piece);
		break;
	case 6:
		input_swap(input);
		break;
	case 7:
		if (fuzz_grammar.head > 0)
			input->data[input_random(input, fuzz_grammar.head)] ^= (uint8_t)(1U << input_random(input, 8));
		break;
	default:
		input_spoil(input, line);
	}
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	Input input = { data, size, max_size, (uint64_t)seed * UINT64_C(0x9e3779b97f4a7c15) + 1 };
	size_t steps;

	if (size < fuzz_grammar.head || input_random(&input, 8) == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	for (steps = 1 + input_random(&input, MUTATE_STEPS); steps > 0; steps--)
		input_change(&input);
	return input.size;
}
